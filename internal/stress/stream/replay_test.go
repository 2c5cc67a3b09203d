package stream

import (
	"context"
	"errors"
	"math"
	"reflect"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// A showing is a replay that runs in a bubble, folded into a timeline.
type showing struct {
	*Replay
	timeline Timeline
	begun    int // times that it began anew
	end      context.CancelFunc
	err      chan error
}

func play(r *Recording) *showing {
	ctx, cancel := context.WithCancel(context.Background())
	s := &showing{Replay: NewReplay(r), end: cancel, err: make(chan error, 1)}
	go func() {
		s.err <- s.Run(ctx, func(e Event) {
			if e.Type == RunStarted {
				s.begun++
			}
			s.timeline.Add(e)
		})
	}()
	synctest.Wait()
	return s
}

func (s *showing) command(t *testing.T, c Command) {
	t.Helper()
	if err := s.Command(c); err != nil {
		t.Fatalf("%+v: %v", c, err)
	}
	synctest.Wait()
}

func (s *showing) stop(t *testing.T) {
	t.Helper()
	s.end()
	if err := <-s.err; err != nil {
		t.Errorf("the replay ended with %v", err)
	}
}

// at holds the replay and what was shown of it against a time.
func (s *showing) at(t *testing.T, want float64) {
	t.Helper()
	p, snapshot := s.Playback(), s.timeline.Snapshot()
	if math.Abs(p.At-want) > 1e-6 || p.Catching {
		t.Errorf("the replay is at %+v, want %v", p, want)
	}
	// A sample that is due at this very moment may be on its way.
	if got := snapshot.T; got > want+1e-6 || got < want-0.1-1e-6 {
		t.Errorf("what is shown is of %v, want of %v", got, want)
	}
}

func TestReplayTakesTheTimeOfTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(recorded(60))
		defer s.stop(t)
		s.at(t, 0)
		time.Sleep(12340 * time.Millisecond)
		s.at(t, 12.34)
		time.Sleep(time.Hour)
		s.at(t, 60)
		if p := s.Playback(); !p.Ended || p.Length != 60 || s.timeline.Snapshot().Report == nil {
			t.Errorf("after its end: %+v", p)
		}
	})
}

func TestReplaySpeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(recorded(600))
		defer s.stop(t)
		at := 0.0
		for _, speed := range []float64{0.25, 0.5, 1, 2, 4, 8, 16, 0.25} {
			s.command(t, Command{Do: SetSpeed, Speed: speed})
			s.at(t, at)
			time.Sleep(10 * time.Second)
			at += 10 * speed
			s.at(t, at)
		}
	})
}

func TestReplayHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(recorded(60))
		defer s.stop(t)
		time.Sleep(5 * time.Second)
		s.command(t, Command{Do: SetSpeed, Speed: 2, Paused: true})
		time.Sleep(time.Hour)
		s.at(t, 5)
		if p := s.Playback(); !p.Held || p.Ended {
			t.Errorf("held: %+v", p)
		}
		s.command(t, Command{Do: Seek, To: 20})
		time.Sleep(time.Minute)
		s.at(t, 20)
		s.command(t, Command{Do: SetSpeed, Speed: 2})
		time.Sleep(5 * time.Second)
		s.at(t, 30)
	})
}

func TestReplaySeek(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := recorded(60)
		s := play(r)
		defer s.stop(t)
		time.Sleep(10 * time.Second)
		s.command(t, Command{Do: Seek, To: 40})
		s.at(t, 40)
		if s.begun != 1 {
			t.Error("it began anew to go forward")
		}
		s.command(t, Command{Do: Seek, To: 12})
		s.at(t, 12)
		if s.begun != 2 || s.timeline.Snapshot().Faults["kill_agents"] != 1 {
			t.Errorf("after going back: begun %d times, faults %v", s.begun, s.timeline.Snapshot().Faults)
		}
		s.command(t, Command{Do: Seek, To: 1e9})
		s.at(t, 60)
		// From its end it goes back, and on again.
		s.command(t, Command{Do: Seek, To: -5})
		s.at(t, 0)
		if s.timeline.Snapshot().Report != nil {
			t.Error("at its start it knows its report")
		}
		time.Sleep(3 * time.Second)
		s.at(t, 3)
	})
}

func TestReplayBeforeItRuns(t *testing.T) {
	r := NewReplay(recorded(60))
	if p := r.Playback(); p.At != 0 || p.Speed != 1 || p.Ended {
		t.Errorf("before it runs: %+v", p)
	}
	if err := r.Command(Command{Do: Seek, To: 10}); err != nil || r.Playback().At != 10 {
		t.Errorf("before it runs: %v, %+v", err, r.Playback())
	}
}

func TestReplayTakesNoOtherCommand(t *testing.T) {
	r := NewReplay(recorded(1))
	for _, do := range []Do{Stop, SetPaused, SetRate, InjectFault, SetInspection, ""} {
		if err := r.Command(Command{Do: do}); !errors.Is(err, ErrNotSteerable) {
			t.Errorf("%q: %v", do, err)
		}
	}
	for _, c := range []Command{
		{Do: Seek, To: math.NaN()},
		{Do: SetSpeed},
		{Do: SetSpeed, Speed: math.NaN()},
		{Do: SetSpeed, Speed: 17},
		{Do: SetSpeed, Speed: -1},
	} {
		if err := r.Command(c); err == nil || errors.Is(err, ErrNotSteerable) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if p := r.Playback(); p.At != 0 || p.Speed != 1 || p.Catching {
		t.Errorf("after commands that were refused: %+v", p)
	}
}

// Wherever one goes and however one came there, what is shown is what the
// events up to there tell.
func TestReplayShowsWhatWasThen(t *testing.T) {
	r := recorded(300)
	rapid.Check(t, func(rt *rapid.T) {
		moves := rapid.SliceOfN(rapid.Float64Range(-1, 310), 1, 6).Draw(rt, "seeks")
		speeds := rapid.SliceOfN(rapid.Float64Range(MinSpeed, MaxSpeed), len(moves), len(moves)).Draw(rt, "speeds")
		var wrong []float64
		synctest.Test(t, func(t *testing.T) {
			s := play(r)
			defer s.stop(t)
			for i, to := range moves {
				s.command(t, Command{Do: SetSpeed, Speed: speeds[i]})
				s.command(t, Command{Do: Seek, To: to})
				time.Sleep(1500 * time.Millisecond)
				s.command(t, Command{Do: SetSpeed, Speed: 1, Paused: true})
				var want Timeline
				for _, e := range r.Events {
					if e.T <= s.Playback().At {
						want.Add(e)
					}
				}
				got, exact := s.timeline.Snapshot(), want.Snapshot()
				got.Events, exact.Events = 0, 0
				if !reflect.DeepEqual(got, exact) {
					wrong = append(wrong, s.Playback().At)
				}
			}
		})
		if len(wrong) > 0 {
			rt.Fatalf("at %v what is shown is not what the events say", wrong)
		}
	})
}

// An hour of samples is folded anew in a blink: nobody waits to go back.
func BenchmarkReplayOfAnHour(b *testing.B) {
	r := recorded(3600)
	for i := range r.Events {
		if e := &r.Events[i]; e.Type == SampleTaken {
			for n := range 45 { // about as many as there are probes
				e.Sample["probe_"+strconv.Itoa(n)] = e.T
			}
		}
	}
	for b.Loop() {
		var t Timeline
		for _, e := range r.Events {
			t.Add(e)
		}
	}
}

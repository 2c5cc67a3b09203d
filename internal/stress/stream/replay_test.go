package stream_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/stress/stream/streamtest"

	"pgregory.net/rapid"
)

// A showing is a replay that runs in a bubble, and the events that it has emitted
// since it began anew.
type showing struct {
	*stream.Replay
	end context.CancelFunc
	err chan error

	mu    sync.Mutex // guards what follows
	shown []stream.Event
	begun int // how often it began anew
}

func play(r *stream.Recording) *showing {
	ctx, cancel := context.WithCancel(context.Background())
	s := &showing{Replay: stream.NewReplay(r), end: cancel, err: make(chan error, 1)}
	go func() {
		s.err <- s.Run(ctx, func(e stream.Event) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if e.Type == stream.RunStarted {
				s.begun++
				s.shown = nil
			}
			s.shown = append(s.shown, e)
		})
	}()
	synctest.Wait()
	return s
}

func (s *showing) command(t *testing.T, c stream.Command) {
	t.Helper()
	if err := s.Command(c); err != nil {
		t.Fatalf("%+v: %v", c, err)
	}
	synctest.Wait()
}

// events are those shown now.
func (s *showing) events() []stream.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.shown)
}

// starts is how often the replay began anew.
func (s *showing) starts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begun
}

// count is the number of events shown of a type.
func (s *showing) count(kind stream.Type) (n int) {
	for _, e := range s.events() {
		if e.Type == kind {
			n++
		}
	}
	return n
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
	p := s.Playback()
	if math.Abs(p.At-want) > 1e-6 || p.Seeking {
		t.Errorf("the replay is at %+v, want %v", p, want)
	}
	// A sample that is due at this very moment may be on its way.
	shown := s.events()
	if got := shown[len(shown)-1].T; got > want+1e-6 || got < want-0.1-1e-6 {
		t.Errorf("what is shown is of %v, want of %v", got, want)
	}
}

func TestReplayTakesTheTimeOfTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(streamtest.Recording(60))
		defer s.stop(t)
		s.at(t, 0)
		time.Sleep(12340 * time.Millisecond)
		s.at(t, 12.34)
		time.Sleep(time.Hour)
		s.at(t, 60)
		if p := s.Playback(); !p.Ended || p.Length != 60 || s.count(stream.RunFinished) == 0 {
			t.Errorf("after its end: %+v", p)
		}
	})
}

func TestReplaySpeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(streamtest.Recording(600))
		defer s.stop(t)
		at := 0.0
		for _, speed := range []float64{0.25, 0.5, 1, 2, 4, 8, 16, 0.25} {
			s.command(t, stream.Command{Do: stream.SetSpeed, Speed: speed})
			s.at(t, at)
			time.Sleep(10 * time.Second)
			at += 10 * speed
			s.at(t, at)
		}
	})
}

func TestReplayHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(streamtest.Recording(60))
		defer s.stop(t)
		time.Sleep(5 * time.Second)
		s.command(t, stream.Command{Do: stream.SetSpeed, Speed: 2, Paused: true})
		time.Sleep(time.Hour)
		s.at(t, 5)
		if p := s.Playback(); !p.Paused || p.Ended {
			t.Errorf("held: %+v", p)
		}
		s.command(t, stream.Command{Do: stream.Seek, To: 20})
		time.Sleep(time.Minute)
		s.at(t, 20)
		s.command(t, stream.Command{Do: stream.SetSpeed, Speed: 2})
		time.Sleep(5 * time.Second)
		s.at(t, 30)
	})
}

func TestReplaySeek(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := streamtest.Recording(60)
		s := play(r)
		defer s.stop(t)
		time.Sleep(10 * time.Second)
		s.command(t, stream.Command{Do: stream.Seek, To: 40})
		s.at(t, 40)
		if s.starts() != 1 {
			t.Error("it began anew to go forward")
		}
		s.command(t, stream.Command{Do: stream.Seek, To: 12})
		s.at(t, 12)
		if s.starts() != 2 || s.count(stream.FaultInjected) != 1 {
			t.Errorf("after going back: begun %d times, %d faults", s.starts(), s.count(stream.FaultInjected))
		}
		s.command(t, stream.Command{Do: stream.Seek, To: 1e9})
		s.at(t, 60)
		// From its end it goes back, and on again.
		s.command(t, stream.Command{Do: stream.Seek, To: -5})
		s.at(t, 0)
		if s.count(stream.RunFinished) != 0 {
			t.Error("at its start it knows its report")
		}
		time.Sleep(3 * time.Second)
		s.at(t, 3)
	})
}

func TestReplayBeforeItRuns(t *testing.T) {
	r := stream.NewReplay(streamtest.Recording(60))
	if p := r.Playback(); p.At != 0 || p.Speed != 1 || p.Ended {
		t.Errorf("before it runs: %+v", p)
	}
	if err := r.Command(stream.Command{Do: stream.Seek, To: 10}); err != nil || r.Playback().At != 10 {
		t.Errorf("before it runs: %v, %+v", err, r.Playback())
	}
}

func TestReplayTakesNoOtherCommand(t *testing.T) {
	r := stream.NewReplay(streamtest.Recording(1))
	for _, do := range []stream.Do{stream.Stop, stream.SetPaused, stream.SetRate, stream.InjectFault, stream.SetInspection, ""} {
		if err := r.Command(stream.Command{Do: do}); !errors.Is(err, stream.ErrNotSteerable) {
			t.Errorf("%q: %v", do, err)
		}
	}
	for _, c := range []stream.Command{
		{Do: stream.Seek, To: math.NaN()},
		{Do: stream.SetSpeed},
		{Do: stream.SetSpeed, Speed: math.NaN()},
		{Do: stream.SetSpeed, Speed: 17},
		{Do: stream.SetSpeed, Speed: -1},
	} {
		if err := r.Command(c); err == nil || errors.Is(err, stream.ErrNotSteerable) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if p := r.Playback(); p.At != 0 || p.Speed != 1 || p.Seeking {
		t.Errorf("after commands that were refused: %+v", p)
	}
}

// Wherever one goes and however one came there, what is shown is what the
// events up to there tell.
func TestReplayShowsWhatWasThen(t *testing.T) {
	r := streamtest.Recording(300)
	rapid.Check(t, func(rt *rapid.T) {
		moves := rapid.SliceOfN(rapid.Float64Range(-1, 310), 1, 6).Draw(rt, "seeks")
		speeds := rapid.SliceOfN(rapid.Float64Range(stream.MinSpeed, stream.MaxSpeed), len(moves), len(moves)).Draw(rt, "speeds")
		var wrong []float64
		synctest.Test(t, func(t *testing.T) {
			s := play(r)
			defer s.stop(t)
			for i, to := range moves {
				s.command(t, stream.Command{Do: stream.SetSpeed, Speed: speeds[i]})
				s.command(t, stream.Command{Do: stream.Seek, To: to})
				time.Sleep(1500 * time.Millisecond)
				s.command(t, stream.Command{Do: stream.SetSpeed, Speed: 1, Paused: true})
				var want []stream.Event
				for _, e := range r.Events {
					if e.T <= s.Playback().At {
						want = append(want, e)
					}
				}
				if !reflect.DeepEqual(s.events(), want) {
					wrong = append(wrong, s.Playback().At)
				}
			}
		})
		if len(wrong) > 0 {
			rt.Fatalf("at %v what is shown is not what the events say", wrong)
		}
	})
}

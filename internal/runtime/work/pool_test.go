package work

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/mabeamtest"
)

func TestNoMember(t *testing.T) {
	s := mabeamtest.Start(t, mabeam.Options{})
	p := NewPool(s, crewGroup, Options{HandOutAgain: true})
	_, err := p.Do(t.Context(), "work", 0)
	if want := `hand out "work" in group "crew": no member`; !errors.Is(err, ErrNoMember) || err.Error() != want {
		t.Errorf("Do: %v, want %s", err, want)
	}
	if err := p.Tell(t.Context(), "work", 0); !errors.Is(err, ErrNoMember) {
		t.Errorf("Tell: %v", err)
	}
}

// What a member was at when it ended is never done again; what waited is if that is wanted.
func TestWorkOfAMemberThatEnds(t *testing.T) {
	ends := map[string]struct {
		end             func(s *mabeam.System)
		atWork, waiting error
	}{
		"kill":  {func(s *mabeam.System) { s.KillAgent("a") }, mabeam.ErrKilled, mabeam.ErrKilled},
		"crash": {func(s *mabeam.System) { _ = s.ResumeAgent("a") }, errOwn, mabeam.ErrCrashed},
	}
	for how, e := range ends {
		for _, again := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				s := mabeamtest.Start(t, mabeam.Options{})
				c := newCrew(s, "a")
				p := NewPool(s, crewGroup, Options{HandOutAgain: again})
				do := func(action string, job int) <-chan error {
					answer := make(chan error, 1)
					go func() {
						_, err := p.Do(t.Context(), action, job)
						answer <- err
					}()
					synctest.Wait()
					return answer
				}
				first := "hang"
				if how == "crash" {
					_ = s.SuspendAgent("a")
					first = "panic"
				}
				atWork, waiting := do(first, 1), do("work", 2)
				_ = p.Tell(t.Context(), "work", 3)
				c.hire("b")
				e.end(s)
				synctest.Wait()
				check(t, <-atWork, e.atWork, false)
				err := <-waiting
				want := 1
				if !again {
					want = 0
					check(t, err, e.waiting, true)
				} else if err != nil {
					t.Errorf("%s: what waited: %v", how, err)
				}
				if c.times(1) != 1 || c.times(2) != want || c.times(3) != 0 {
					t.Errorf("%s: carried out: %v", how, c.done)
				}
				if dead := s.DeadLetters(mabeam.DeadKilled) + s.DeadLetters(mabeam.DeadCrashed); dead != 1 {
					t.Errorf("%s: %d dead letters, want that of Tell", how, dead)
				}
			})
		}
	}
}

// check checks the error of a job, and whether it was surely not begun.
func check(t *testing.T, err, want error, notBegun bool) {
	t.Helper()
	var failed *mabeam.ActionError
	if !errors.As(err, &failed) || !errors.Is(err, want) || failed.NotBegun != notBegun {
		t.Errorf("%v, want %v, not begun: %v", err, want, notBegun)
	}
}

// A member that is only full has not left: its job is not given to another.
func TestFullMemberRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{Mailbox: 1})
		c := newCrew(s, "a", "b")
		p := NewPool(s, crewGroup, Options{HandOutAgain: true, Strategy: func(members mabeam.Group, _ Job) mabeam.Ref { return members.At(0) }})
		_ = s.SuspendAgent("a")
		for i, want := range []error{nil, mabeam.ErrTimeout} {
			if err := p.Tell(t.Context(), "work", i); !errors.Is(err, want) {
				t.Errorf("Tell %d: %v, want %v", i, err, want)
			}
		}
		_, err := p.Do(t.Context(), "work", 2)
		check(t, err, mabeam.ErrMailboxFull, true)
		// One that waits for room when the member ends goes to the next.
		told := make(chan error, 1)
		go func() { told <- p.Tell(t.Context(), "work", 3) }()
		synctest.Wait()
		s.KillAgent("a")
		if err := <-told; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if c.times(0)+c.times(1)+c.times(2) != 0 || c.times(3) != 1 {
			t.Errorf("carried out: %v", c.done)
		}
	})
}

// Members come and go under load: what was answered was carried out once, what was surely not
// begun never, and of all else nothing twice.
func TestMembersComeAndGoUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const givers, jobs, changes = 4, 300, 200
		s := mabeamtest.Start(t, mabeam.Options{})
		c := newCrew(s, "stays")
		pools := []*Pool{
			NewPool(s, crewGroup, Options{}),
			NewPool(s, crewGroup, Options{HandOutAgain: true}),
			NewPool(s, crewGroup, Options{Strategy: LeastLoaded(), HandOutAgain: true}),
			NewPool(s, crewGroup, Options{Strategy: ByKey(func(job Job) string { return fmt.Sprint(job.Params) }), HandOutAgain: true}),
		}
		ctx, cancel := context.WithCancel(context.Background()) // so that nobody carries out his own
		defer cancel()
		var running sync.WaitGroup
		var answered atomic.Int64
		for g := range givers {
			running.Go(func() {
				for i := range jobs {
					job := g*jobs + i
					action := "work"
					if i%50 == 49 {
						action = "panic"
						c.hire(fmt.Sprint("instead ", job))
					}
					_, err := pools[g].Do(ctx, action, job)
					var failed *mabeam.ActionError
					switch times := c.times(job); {
					case err == nil:
						answered.Add(1)
						if times != 1 {
							t.Errorf("job %d was answered, and carried out %d times", job, times)
						}
					case errors.Is(err, ErrNoMember):
						if times != 0 {
							t.Errorf("job %d had no member, and was carried out %d times", job, times)
						}
					case !errors.As(err, &failed) || failed.NotBegun && times != 0 || times > 1:
						t.Errorf("job %d: %v, carried out %d times", job, err, times)
					case failed.NotBegun && pools[g].options.HandOutAgain:
						t.Errorf("job %d was not handed out again: %v", job, err)
					}
				}
			})
		}
		running.Go(func() {
			for i := range changes {
				id := fmt.Sprint("comes ", i)
				c.hire(id)
				switch i % 3 {
				case 0:
					s.KillAgent(id)
				case 1:
					_ = s.RestartAgent(ctx, id)
				}
				_ = s.StopAgent(ctx, id)
			}
		})
		running.Wait()
		if answered.Load() < givers*jobs/2 {
			t.Errorf("only %d jobs of %d were answered", answered.Load(), givers*jobs)
		}
	})
}

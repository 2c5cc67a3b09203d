package work

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/mabeamtest"
)

// A model is what a crew and the pools over it must be after a series of steps.
type model struct {
	crew    *crew
	again   bool
	members []string // in the order in which they joined
	outside []string // agents that live and have left
	held    map[string]bool
	hired   int
	turns   int            // of the pool that hands out in turn
	owners  map[int]string // of keys, at the last look
	jobs    []*given
}

// A given is a job that was given.
type given struct {
	number int
	member string // the one that must get it, if it is not handed out again; empty if there is none
	told   bool   // by Tell
	answer chan error
	err    error // the answer, if ended
	ended  bool
}

// Whatever the order in which members come, go, end and are held up, each job goes to the
// member that its strategy says, is carried out at most once, and its giver is told.
func TestPoolModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var failure any // which must not end the bubble's goroutine, but this one
		synctest.Test(t, func(*testing.T) {
			defer func() { failure = recover() }()
			checkPools(rt)
		})
		if failure != nil {
			panic(failure)
		}
	})
}

const keys = 7

func checkPools(t *rapid.T) {
	s, err := mabeam.Start(context.Background(), mabeam.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Stop(context.Background()) }() // after a failure too
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	m := &model{crew: newCrew(s), again: rapid.Bool().Draw(t, "again"), held: map[string]bool{}, owners: map[int]string{}}
	byKey := ByKey(func(job Job) string { return strconv.Itoa(job.Params.(int) % keys) })
	inTurn := NewPool(s, crewGroup, Options{HandOutAgain: m.again})
	keyed := NewPool(s, crewGroup, Options{Strategy: byKey, HandOutAgain: m.again})

	t.Repeat(map[string]func(*rapid.T){
		"hire": func(*rapid.T) {
			m.hired++
			id := fmt.Sprint("agent ", m.hired)
			m.crew.hire(id)
			m.members = append(m.members, id)
		},
		"kill": func(t *rapid.T) {
			id := draw(t, m.members)
			s.KillAgent(id)
			m.left(id)
		},
		"stop": func(t *rapid.T) {
			id := draw(t, m.members)
			if err := s.StopAgent(ctx, id); err != nil {
				t.Fatal(err)
			}
			m.left(id)
		},
		"restart": func(t *rapid.T) {
			if err := s.RestartAgent(ctx, draw(t, m.free())); err != nil {
				t.Fatal(err)
			}
		},
		"leave": func(t *rapid.T) {
			id := draw(t, m.free())
			m.have(t, id, "leave")
			m.left(id)
			m.outside = append(m.outside, id)
		},
		"come back": func(t *rapid.T) {
			id := draw(t, m.outside)
			m.have(t, id, "join")
			m.outside = without(m.outside, id)
			m.members = append(m.members, id)
		},
		"hold up": func(t *rapid.T) {
			id := draw(t, m.free())
			if err := s.SuspendAgent(id); err != nil {
				t.Fatal(err)
			}
			m.held[id] = true
		},
		"do": func(*rapid.T) {
			member := ""
			if n := len(m.members); n > 0 {
				member = m.members[m.turns%n]
				m.turns++
			}
			m.give(member, func(number int) error { _, err := inTurn.Do(ctx, "work", number); return err })
		},
		"do by key": func(*rapid.T) {
			m.give(m.owners[len(m.jobs)%keys], func(number int) error { _, err := keyed.Do(ctx, "work", number); return err })
		},
		"tell by key": func(*rapid.T) {
			job := m.give(m.owners[len(m.jobs)%keys], func(number int) error { return keyed.Tell(ctx, "work", number) })
			job.told = true
		},
		"": func(t *rapid.T) {
			synctest.Wait()
			if got := m.crew.members(); !slices.Equal(got, m.members) {
				t.Fatalf("members: %v, want %v", got, m.members)
			}
			m.checkOwners(t, byKey)
			m.checkJobs(t)
		},
	})
	m.finish(t)
}

// draw draws one of a list, if there is any.
func draw(t *rapid.T, list []string) string {
	if len(list) == 0 {
		t.Skip("there is none")
	}
	return rapid.SampledFrom(list).Draw(t, "agent")
}

func without(list []string, id string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(x string) bool { return x == id })
}

// free are the members that are not held up.
func (m *model) free() []string {
	return slices.DeleteFunc(slices.Clone(m.members), func(id string) bool { return m.held[id] })
}

// left notes that an agent is a member no longer. One that is held up has ended.
func (m *model) left(id string) {
	m.members = without(m.members, id)
	delete(m.held, id)
}

// have has an agent carry out an action that is no job.
func (m *model) have(t *rapid.T, id, action string) {
	if _, err := m.crew.system.Execute(context.Background(), id, action, -1); err != nil {
		t.Fatal(err)
	}
}

// give has somebody give the next job.
func (m *model) give(member string, give func(number int) error) *given {
	job := &given{number: len(m.jobs), member: member, answer: make(chan error, 1)}
	m.jobs = append(m.jobs, job)
	go func() { job.answer <- give(job.number) }()
	return job
}

// checkOwners checks that a key has moved only if its member has left, or to one that has
// come, and notes where each is.
func (m *model) checkOwners(t *rapid.T, byKey Strategy) {
	for key := range keys {
		before, now := m.owners[key], ""
		if group := m.crew.system.Group(crewGroup); group.Len() > 0 {
			now = byKey(group, Job{Params: key}).ID()
		}
		newest := len(m.members) > 0 && now == m.members[len(m.members)-1]
		if now != before && !newest && slices.Contains(m.members, before) {
			t.Fatalf("key %d moved from %q to %q", key, before, now)
		}
		m.owners[key] = now
	}
}

// checkJobs checks what has become of the jobs until now.
func (m *model) checkJobs(t *rapid.T) {
	for _, job := range m.jobs {
		if !job.ended {
			select {
			case job.err = <-job.answer:
				job.ended = true
			default:
			}
		}
		job.check(t, m)
	}
}

func (job *given) check(t *rapid.T, m *model) {
	by := m.crew.done[job.number]
	var failed *mabeam.ActionError
	switch {
	case len(by) > 1:
		t.Fatalf("job %d was carried out by %v", job.number, by)
	case len(by) == 1 && !m.again && by[0] != job.member:
		t.Fatalf("job %d was carried out by %v, want %q", job.number, by, job.member)
	case !job.ended:
		if len(m.held) == 0 {
			t.Fatalf("job %d is not answered, and nobody is held up", job.number)
		}
	case job.err == nil:
		if len(by) == 0 && !job.told {
			t.Fatalf("job %d was answered, and not carried out", job.number)
		}
	case errors.Is(job.err, ErrNoMember):
		if len(by) > 0 || !m.again && job.member != "" {
			t.Fatalf("job %d of %q, carried out by %v: %v", job.number, job.member, by, job.err)
		}
	case m.again || !errors.As(job.err, &failed) || !failed.NotBegun || len(by) > 0:
		t.Fatalf("job %d, carried out by %v: %v", job.number, by, job.err)
	}
}

// finish lets everybody go on, and checks that nothing is left: no job that is not answered,
// and none that was told, not carried out and not counted.
func (m *model) finish(t *rapid.T) {
	s := m.crew.system
	for id := range m.held {
		if err := s.ResumeAgent(id); err != nil {
			t.Fatal(err)
		}
	}
	clear(m.held)
	synctest.Wait()
	m.checkJobs(t)
	lost := int64(0)
	for _, job := range m.jobs {
		if job.told && job.err == nil && len(m.crew.done[job.number]) == 0 {
			lost++
		}
	}
	if dead := s.DeadLetters(mabeam.DeadKilled); dead != lost {
		t.Fatalf("%d jobs that were told were not carried out, and %d are counted", lost, dead)
	}
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := mabeamtest.Leftovers(s); err != nil {
		t.Fatal(err)
	}
}

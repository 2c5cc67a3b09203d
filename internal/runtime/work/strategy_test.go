package work

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/mabeamtest"
)

// ids numbers agents from 0 to n-1.
func ids(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint("agent ", i)
	}
	return list
}

func TestRoundRobin(t *testing.T) {
	s := mabeamtest.Start(t, mabeam.Options{})
	c := newCrew(s, "a", "b", "c")
	p := NewPool(s, crewGroup, Options{})
	var got []any
	for i := range 7 {
		if i == 5 { // of two, the sixth job is the second's
			s.KillAgent("a")
		}
		who, err := p.Do(t.Context(), "work", i)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, who)
	}
	if want := []any{"a", "b", "c", "a", "b", "c", "b"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if !slices.Equal(c.members(), []string{"b", "c"}) {
		t.Errorf("members: %v", c.members())
	}
}

func TestRandomReachesAll(t *testing.T) {
	s := mabeamtest.Start(t, mabeam.Options{})
	newCrew(s, ids(10)...)
	p := NewPool(s, crewGroup, Options{Strategy: Random()})
	got := map[any]int{}
	for i := range 10_000 {
		who, err := p.Do(t.Context(), "work", i)
		if err != nil {
			t.Fatal(err)
		}
		got[who]++
	}
	for _, id := range ids(10) {
		if n := got[id]; n < 800 || n > 1200 { // more than six standard deviations off
			t.Errorf("%q got %d of 10,000 jobs", id, n)
		}
	}
}

// The least loaded has the shortest mailbox, and counts as loaded by what it is at.
func TestLeastLoaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		members := ids(4)
		c := newCrew(s, members...)
		p := NewPool(s, crewGroup, Options{Strategy: LeastLoaded()})
		for i := range 12 {
			if err := p.Tell(t.Context(), "hang", i); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		loads := func() (n []int) {
			for m := range s.Group(crewGroup).All() {
				n = append(n, m.Waiting())
			}
			return n
		}
		if got := loads(); !slices.Equal(got, []int{3, 3, 3, 3}) {
			t.Errorf("loads: %v", got)
		}
		c.hire("new")
		for i := range 3 {
			if err := p.Tell(t.Context(), "hang", 100+i); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if got := loads(); !slices.Equal(got, []int{3, 3, 3, 3, 3}) {
			t.Errorf("loads with a new member: %v", got)
		}
		for _, id := range append(members, "new") {
			s.KillAgent(id)
		}
	})
}

// A key stays with its member. When one ends its own keys move alone, and evenly; when it
// comes back it has them again.
func TestByKeyMovesOnlyTheKeysOfWhoEnds(t *testing.T) {
	const members, keys = 10, 10_000
	s := mabeamtest.Start(t, mabeam.Options{})
	c := newCrew(s, ids(members)...)
	strategy := ByKey(func(job Job) string { return strconv.Itoa(job.Params.(int)) })
	owners := func() []string {
		list := make([]string, keys)
		for key := range list {
			list[key] = strategy(s.Group(crewGroup), Job{Params: key}).ID()
		}
		return list
	}
	shares := func(owners []string) map[string]int {
		of := map[string]int{}
		for _, id := range owners {
			of[id]++
		}
		return of
	}
	before := owners()
	for id, n := range shares(before) {
		if n < keys/members*8/10 || n > keys/members*12/10 {
			t.Errorf("%q has %d of %d keys", id, n, keys)
		}
	}
	for _, ended := range ids(members) {
		s.KillAgent(ended)
		now := owners()
		var moved []string
		for key := range now {
			if before[key] == ended {
				moved = append(moved, now[key])
			} else if now[key] != before[key] {
				t.Fatalf("key %d of %q moved to %q when %q ended", key, before[key], now[key], ended)
			}
		}
		for id, n := range shares(moved) {
			if want := len(moved) / (members - 1); n < want/2 || n > want*3/2 {
				t.Errorf("%q took over %d of %d keys of %q", id, n, len(moved), ended)
			}
		}
		c.hire(ended) // it is the last in order now, which does not matter
		if !slices.Equal(owners(), before) {
			t.Errorf("%q does not have its keys again", ended)
		}
	}
}

// BenchmarkPick is the cost of choosing a member.
func BenchmarkPick(b *testing.B) {
	for _, members := range []int{10, 1000} {
		s := mabeamtest.Start(b, mabeam.Options{})
		newCrew(s, ids(members)...)
		for name, strategy := range map[string]Strategy{
			"round robin": RoundRobin(), "least loaded": LeastLoaded(), "random": Random(),
			"by key": ByKey(func(job Job) string { return job.Action }),
		} {
			p := NewPool(s, crewGroup, Options{Strategy: strategy})
			b.Run(fmt.Sprintf("%s/%d", name, members), func(b *testing.B) {
				b.ReportAllocs()
				for range b.N {
					if _, err := p.pick(Job{Action: "work"}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

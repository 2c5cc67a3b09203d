package work

import (
	"context"
	"errors"
	"sync"
	"testing"

	"go.uber.org/goleak"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/mabeamtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errOwn = errors.New("on purpose")

// A crew is a group of agents that note the jobs that they carry out, by number.
type crew struct {
	system *mabeam.System
	mu     sync.Mutex
	done   map[int][]string // the members that carried a job out
}

const crewGroup = "crew"

func newCrew(s *mabeam.System, members ...string) *crew {
	c := &crew{system: s, done: map[int][]string{}}
	for _, id := range members {
		c.hire(id)
	}
	return c
}

// hire starts a member. It answers with its id, panics when told to, and hangs until its end
// when told to.
func (c *crew) hire(id string) {
	_, err := c.system.StartAgent(context.Background(), mabeam.Spec{ID: id, Behaviour: &mabeamtest.Script{
		OnInit: func(_ context.Context, self *mabeam.Agent) error { return self.Join(crewGroup) },
		OnAction: func(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
			c.note(params.(int), self.ID())
			switch action {
			case "panic":
				panic(errOwn)
			case "hang":
				<-ctx.Done()
			case "leave":
				self.Leave(crewGroup)
			case "join":
				return nil, self.Join(crewGroup)
			}
			return self.ID(), nil
		},
	}})
	if err != nil {
		panic(err)
	}
}

func (c *crew) note(job int, member string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done[job] = append(c.done[job], member)
}

// times is how often a job was begun.
func (c *crew) times(job int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.done[job])
}

func (c *crew) members() (ids []string) {
	for m := range c.system.Group(crewGroup).All() {
		ids = append(ids, m.ID())
	}
	return ids
}

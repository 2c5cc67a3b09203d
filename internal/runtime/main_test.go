package mabeam

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start brings up a system that is stopped, and found to be without a rest,
// when the test ends.
func start(t testing.TB, o Options) *System {
	t.Helper()
	s, err := Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Errorf("stop: %v", err)
		}
		if err := leftovers(s); err != nil {
			t.Error(err)
		}
	})
	return s
}

// leftovers says what a system has left behind that was stopped.
func leftovers(s *System) error {
	tel := s.Telemetry()
	if n := s.Registry().Count() + len(s.Registry().All()) + len(s.Registry().ByNode(s.Node())); n != 0 ||
		tel.Agents != 0 || tel.Subscriptions != 0 || tel.MailboxDepth != 0 || s.Goroutines() != 0 {
		return fmt.Errorf("left after stop: %d registrations, %d goroutines, %+v", n, s.Goroutines(), tel)
	}
	if groups := s.Groups(); len(groups) > 0 {
		return fmt.Errorf("left after stop: the groups %q", groups)
	}
	if tel.AgentsStarted != tel.AgentsStopped+tel.AgentsCrashed {
		return fmt.Errorf("%d agents were started, %d stopped and %d crashed", tel.AgentsStarted, tel.AgentsStopped, tel.AgentsCrashed)
	}
	return nil
}

// startAgent starts an agent that must start.
func startAgent(t testing.TB, s *System, spec Spec) string {
	t.Helper()
	id, err := s.StartAgent(context.Background(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// A scripted behaviour calls a function for each callback that is set.
type scripted struct {
	init      func(self *Agent) error
	action    func(ctx context.Context, self *Agent, action string, params any) (any, error)
	signal    func(self *Agent, s Signal)
	event     func(self *Agent, e Event)
	terminate func(self *Agent)
}

func (b *scripted) Init(_ context.Context, self *Agent) error {
	if b.init == nil {
		return nil
	}
	return b.init(self)
}

func (b *scripted) HandleAction(ctx context.Context, self *Agent, action string, params any) (any, error) {
	if b.action == nil {
		return nil, ErrUnknownAction
	}
	return b.action(ctx, self, action, params)
}

func (b *scripted) HandleSignal(_ context.Context, self *Agent, s Signal) {
	if b.signal != nil {
		b.signal(self, s)
	}
}

func (b *scripted) HandleEvent(_ context.Context, self *Agent, e Event) {
	if b.event != nil {
		b.event(self, e)
	}
}

func (b *scripted) Terminate(_ context.Context, self *Agent, _ error) {
	if b.terminate != nil {
		b.terminate(self)
	}
}

// A chronicle notes what becomes of agents and supervisors.
type chronicle struct {
	mu    sync.Mutex
	lines []string
}

func keepChronicle(t testing.TB, s *System) *chronicle {
	t.Helper()
	d := &chronicle{}
	note := func(_ context.Context, e Event) {
		_, what, ok := strings.Cut(e.Type, ".")
		if !ok { // an action's
			return
		}
		d.mu.Lock()
		d.lines = append(d.lines, what+" "+e.Source)
		d.mu.Unlock()
	}
	// One subscription, for there is no order between two.
	if _, err := s.Bus().SubscribePattern("*", note, SubscribeOptions{}); err != nil {
		t.Fatal(err)
	}
	return d
}

// take returns what was noted since it was called last.
func (d *chronicle) take() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	lines := d.lines
	d.lines = nil
	return strings.Join(lines, ", ")
}

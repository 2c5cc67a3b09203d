package runtime

import (
	"context"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start brings up a system that is stopped, and found to be without a rest,
// when the test ends.
func start(t testing.TB, o Options) *System {
	t.Helper()
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Errorf("stop: %v", err)
		}
		if n := s.Registry().Count(); n != 0 {
			t.Errorf("%d agents are still registered after stop", n)
		}
		tel := s.Telemetry()
		if tel.Agents != 0 || tel.Subscriptions != 0 || tel.MailboxDepth != 0 {
			t.Errorf("left after stop: %d agents, %d subscriptions, %d messages", tel.Agents, tel.Subscriptions, tel.MailboxDepth)
		}
	})
	return s
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
	action    func(ctx context.Context, self *Agent, action string, params Params) (any, error)
	event     func(self *Agent, e Event)
	terminate func(self *Agent)
}

func (b *scripted) Init(_ context.Context, self *Agent) error {
	if b.init == nil {
		return nil
	}
	return b.init(self)
}

func (b *scripted) HandleAction(ctx context.Context, self *Agent, action string, params Params) (any, error) {
	if b.action == nil {
		return nil, ErrUnknownAction
	}
	return b.action(ctx, self, action, params)
}

func (b *scripted) HandleEvent(_ context.Context, self *Agent, e Event) {
	if b.event != nil {
		b.event(self, e)
	}
}

func (b *scripted) Terminate(_ context.Context, self *Agent) {
	if b.terminate != nil {
		b.terminate(self)
	}
}

package measure

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
	"mabeam-top/internal/runtime/supervision"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/load"
)

// A sandbox is one whole system with its agents, which has nothing to do with
// any other. Its agents have the ids that those of all sandboxes have.
type sandbox struct {
	number        int
	system        *mabeam.System
	supervisor    *supervision.Supervisor
	agents        int
	foreignEvents atomic.Int64  // events of other sandboxes that it saw
	restarted     time.Duration // how long the agent that was killed was not there; 0 if none was
	heard         chan struct{}
}

// name is the node of the sandbox, which its records have.
func (s *sandbox) name() string { return fmt.Sprintf("sandbox-%d", s.number) }

// agentID is the id of the n-th agent of each sandbox.
func agentID(n int) string { return fmt.Sprintf("agent-%d", n) }

// startSandbox starts everything of a sandbox. If anything fails, nothing is
// left of it.
func startSandbox(ctx context.Context, env *stress.Env, number int, spec func() mabeam.Spec) (*sandbox, error) {
	s := &sandbox{number: number, agents: env.Params.Int("agents"), heard: make(chan struct{}, 1)}
	options := env.Options()
	options.Node = s.name()
	var err error
	if s.system, err = mabeam.Start(ctx, options); err != nil {
		return nil, fmt.Errorf("start a sandbox: %w", err)
	}
	if err = s.populate(ctx, spec); err != nil {
		stopSystem(ctx, env, s.system)
		return nil, err
	}
	return s, nil
}

func (s *sandbox) populate(ctx context.Context, spec func() mabeam.Spec) error {
	if err := s.startSupervisor(ctx); err != nil {
		return err
	}
	return s.addAgents(ctx, spec)
}

func (s *sandbox) startSupervisor(ctx context.Context) (err error) {
	if s.supervisor, err = supervision.Start(ctx, s.system, supervision.Spec{ID: "sandbox"}); err != nil {
		return fmt.Errorf("start the supervisor of a sandbox: %w", err)
	}
	return nil
}

func (s *sandbox) addAgents(ctx context.Context, spec func() mabeam.Spec) error {
	for i := range s.agents {
		if _, err := s.supervisor.StartChild(ctx, supervision.Child{ID: agentID(i), New: spec}); err != nil {
			return fmt.Errorf("start agent %d of %d of a sandbox: %w", i+1, s.agents, err)
		}
	}
	return nil
}

// listen has the sandbox hear all events of its bus. Each sandbox publishes
// its number, so that it knows its own.
func (s *sandbox) listen() error {
	_, err := s.system.Bus().SubscribePattern("sandbox.*", func(_ context.Context, e mabeam.Event) {
		if e.Data != s.number {
			s.foreignEvents.Add(1)
			return
		}
		select {
		case s.heard <- struct{}{}:
		default:
		}
	}, mabeam.SubscribeOptions{})
	return err
}

// try uses the sandbox: it changes the state of an agent, if its number is odd
// kills another and waits until that lives again, and publishes.
func (s *sandbox) exercise(ctx context.Context) error {
	if _, err := s.system.Execute(ctx, agentID(0), "increment", map[string]any{"amount": s.number}); err != nil {
		return err
	}
	if s.kills() > 0 {
		last, began := agentID(s.agents-1), time.Now()
		s.system.KillAgent(last)
		if !s.awaitRestart(ctx, last) {
			return fmt.Errorf("an agent that was killed did not live again within %v", settleTimeout)
		}
		s.restarted = max(time.Since(began), 1)
	}
	if err := s.system.Bus().Publish(ctx, mabeam.Event{Type: "sandbox.mark", Data: s.number}); err != nil {
		return err
	}
	select {
	case <-s.heard:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// kills is how many of the sandbox's agents are killed. That of the only agent
// would take the state along that is looked at.
func (s *sandbox) kills() int64 {
	if s.agents == 1 {
		return 0
	}
	return int64(s.number % 2)
}

// awaitRestart waits until an agent is there that was killed, for settleTimeout at most.
func (s *sandbox) awaitRestart(ctx context.Context, id string) bool {
	for looks, end := 0, time.Now().Add(settleTimeout); ; looks++ {
		if _, err := s.system.Ref(id); err == nil {
			return true
		}
		switch { // to sleep takes longer than most restarts
		case looks < 100:
			runtime.Gosched()
		case time.Now().After(end) || !load.Sleep(ctx, 100*time.Microsecond):
			return false
		}
	}
}

// A violation is something of another sandbox that a sandbox saw, how often.
type isolationViolation struct {
	what  string
	count int64
}

// violations tells what the sandbox sees that is not its own.
func (s *sandbox) violations() []isolationViolation {
	t := s.system.Telemetry()
	var strangers, changes int64
	for _, e := range s.system.Registry().All() {
		if e.Node() != s.name() {
			strangers++
		}
	}
	for i := range s.agents {
		want := 0
		if i == 0 {
			want = s.number
		}
		info, err := s.system.Agent(agentID(i))
		if state, ok := info.State.(agents.DemoState); err == nil && ok && state.Counter != want {
			changes++
		}
	}
	return []isolationViolation{
		{"events", s.foreignEvents.Load()},
		{"agents", strangers},
		{"changes of state", changes},
		{"ends of agents", max(t.AgentsCrashed+t.AgentsStopped-s.kills(), 0)},
		{"restarts", max(t.AgentsRestarted-s.kills(), 0)},
	}
}

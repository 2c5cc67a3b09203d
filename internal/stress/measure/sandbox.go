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
	"mabeam-top/internal/stress/conformance"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/resources"
)

// A sandbox is a complete system, isolated from all others. Its agents have the same ids
// as those of other sandboxes.
type sandbox struct {
	number        int
	system        *mabeam.System
	supervisor    *supervision.Supervisor
	agents        int
	foreignEvents atomic.Int64  // events of other sandboxes
	restarted     time.Duration // time until the killed agent was alive again; 0 if none was killed
	received      chan struct{}
}

// name is the node in the sandbox's records.
func (s *sandbox) name() string { return fmt.Sprintf("sandbox-%d", s.number) }

// agentID is the id of the n-th agent of each sandbox.
func agentID(n int) string { return fmt.Sprintf("agent-%d", n) }

// startSandbox starts a complete sandbox. If that fails, nothing of it remains.
func startSandbox(ctx context.Context, env *stress.Env, number int, spec func() mabeam.Spec) (*sandbox, error) {
	s := &sandbox{number: number, agents: env.Params.Int("agents"), received: make(chan struct{}, 1)}
	options := env.Options()
	options.Node = s.name()
	var err error
	if s.system, err = mabeam.Start(ctx, options); err != nil {
		return nil, fmt.Errorf("start a sandbox: %w", err)
	}
	if err = s.populate(ctx, spec); err != nil {
		conformance.StopSystem(ctx, env, s.system)
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

// listen subscribes the sandbox to its events. Each sandbox publishes its number, so that
// it recognizes its own.
func (s *sandbox) listen() error {
	_, err := s.system.Bus().SubscribePattern("sandbox.*", func(_ context.Context, e mabeam.Event) {
		if e.Data != s.number {
			s.foreignEvents.Add(1)
			return
		}
		select {
		case s.received <- struct{}{}:
		default:
		}
	}, mabeam.SubscribeOptions{})
	return err
}

// exercise changes the state of an agent, kills another and waits for its restart if the
// number of the sandbox is odd, and publishes an event.
func (s *sandbox) exercise(ctx context.Context) error {
	if _, err := s.system.Execute(ctx, agentID(0), "increment", map[string]any{"amount": s.number}); err != nil {
		return err
	}
	if s.kills() > 0 {
		last, began := agentID(s.agents-1), time.Now()
		s.system.KillAgent(last)
		if !s.awaitRestart(ctx, last) {
			return fmt.Errorf("a killed agent was not restarted within %v", resources.SettleTimeout)
		}
		s.restarted = max(time.Since(began), 1)
	}
	if err := s.system.Bus().Publish(ctx, mabeam.Event{Type: "sandbox.mark", Data: s.number}); err != nil {
		return err
	}
	select {
	case <-s.received:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// kills is how many agents of the sandbox are killed. A single agent is not, because its
// state is checked.
func (s *sandbox) kills() int64 {
	if s.agents == 1 {
		return 0
	}
	return int64(s.number % 2)
}

// awaitRestart waits until a killed agent is found again, for at most resources.SettleTimeout.
func (s *sandbox) awaitRestart(ctx context.Context, id string) bool {
	for looks, end := 0, time.Now().Add(resources.SettleTimeout); ; looks++ {
		if _, err := s.system.Ref(id); err == nil {
			return true
		}
		switch { // a sleep takes longer than most restarts
		case looks < 100:
			runtime.Gosched()
		case time.Now().After(end) || !load.Sleep(ctx, 100*time.Microsecond):
			return false
		}
	}
}

// An isolationViolation is a kind of thing that a sandbox sees of others, and how often.
type isolationViolation struct {
	what  string
	count int64
}

// violations returns what the sandbox sees of others.
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
		{"state changes", changes},
		{"agent ends", max(t.AgentsCrashed+t.AgentsStopped-s.kills(), 0)},
		{"restarts", max(t.AgentsRestarted-s.kills(), 0)},
	}
}

// memoryRounds is how often the memory of a sandbox is measured, and memorySandboxes the
// sandboxes of each round. A single sandbox is too small, and the median of the rounds
// ignores a round in which the process itself allocated.
const memoryRounds, memorySandboxes = 5, 10

// measureSandboxMemory measures the memory of the parts of a sandbox, in the order of
// their start.
func measureSandboxMemory(ctx context.Context, env *stress.Env, spec func() mabeam.Spec) error {
	var services, supervisors, agents, all []float64
	for range memoryRounds {
		grown, err := growStages(ctx, env, spec)
		if err != nil {
			return err
		}
		services, supervisors, agents = append(services, grown[0]), append(supervisors, grown[1]), append(agents, grown[2])
		all = append(all, sum(grown[:]))
	}
	env.Value("memory_per_sandbox", report.Median(all))
	env.Value("memory_per_sandbox.services", report.Median(services))
	env.Value("memory_per_sandbox.supervisor", report.Median(supervisors))
	env.Value("memory_per_sandbox.agents", report.Median(agents))
	return nil
}

// growStages starts some sandboxes stage by stage, and returns the growth of live memory
// per sandbox with each stage.
func growStages(ctx context.Context, env *stress.Env, spec func() mabeam.Spec) (grown [3]float64, err error) {
	some := make([]*sandbox, 0, memorySandboxes)
	defer func() {
		for _, s := range some {
			conformance.StopSystem(ctx, env, s.system)
		}
	}()
	at := resources.LiveBytes()
	stage := func(i int) {
		now := resources.LiveBytes()
		grown[i], at = (now-at)/memorySandboxes, now
	}
	for i := range memorySandboxes {
		s := &sandbox{number: i, agents: env.Params.Int("agents")}
		if s.system, err = mabeam.Start(ctx, env.Options()); err != nil {
			return grown, fmt.Errorf("start a sandbox: %w", err)
		}
		some = append(some, s)
	}
	stage(0)
	for _, s := range some {
		if err := s.startSupervisor(ctx); err != nil {
			return grown, err
		}
	}
	stage(1)
	for _, s := range some {
		if err := s.addAgents(ctx, spec); err != nil {
			return grown, err
		}
	}
	stage(2)
	return grown, nil
}

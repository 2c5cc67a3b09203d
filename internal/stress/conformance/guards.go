package conformance

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/guard"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/resources"
)

// GuardChecksTime is roughly how long the checks of the guards take.
const GuardChecksTime = 600 * time.Millisecond

// guardChecks check the rules of the guards, each on a separate system.
type guardChecks struct {
	options mabeam.Options
	checks  *Checker
	late    *Checker // of checkDeadlines
	wrap    CallWrap
}

// CheckGuards checks the rules of rates, circuits, mailboxes and deadlines, and reports
// guard_rules_broken and deadlines_missed; wrap may replace the guarded calls. The context
// must have a deadline: without one, the timeout of the runtime itself ends all calls.
func CheckGuards(ctx context.Context, r Recorder, options mabeam.Options, wrap CallWrap) error {
	t := &guardChecks{options: options, checks: NewChecker(r, "guard_rules_broken"), late: NewChecker(r, "deadlines_missed"), wrap: wrap}
	for _, check := range []func(context.Context) error{t.checkRate, t.checkRefusals, t.checkWaiting, t.checkCircuit, t.checkMailbox, t.checkDeadlines} {
		if err := check(ctx); err != nil {
			return fmt.Errorf("guards: %w", err)
		}
	}
	t.checks.Report()
	t.late.Report()
	return nil
}

// withSystem runs a check on a system with these options.
func (t *guardChecks) withSystem(ctx context.Context, change func(*mabeam.Options), check func(*mabeam.System, Calls) error) error {
	return WithSystem(ctx, t.checks.recorder, t.options, change, func(s *mabeam.System) error {
		return check(s, CallsOf(s, t.wrap))
	})
}

// guardOperation is an operation that only these checks use.
const guardOperation = guard.UserPrefix + "guard"

// checkRate checks that a rate admits exactly as many operations as it has tokens, within
// one token: those of the burst, and those added until the last attempt.
func (t *guardChecks) checkRate(ctx context.Context) error {
	const (
		perSecond, burst = 500, 50
		lasts            = 100 * time.Millisecond
		full             = burst * time.Second / perSecond // how long it takes to refill an empty bucket
	)
	rates := map[guard.Operation]guard.Rate{guardOperation: {PerSecond: perSecond, Burst: burst}}
	return t.withSystem(ctx, func(o *mabeam.Options) { o.Rates = rates }, func(s *mabeam.System, g Calls) error {
		began := time.Now()
		asked, longest := began, time.Duration(0)
		admitted, refused := 0, int64(0)
		for time.Since(began) < lasts {
			longest = max(longest, time.Since(asked))
			asked = time.Now()
			for {
				err := g.Allow(guardOperation)
				if err != nil {
					refused++
					t.checks.Expect(errors.Is(err, mabeam.ErrRateLimited), "an operation above its rate is refused with another error than ErrRateLimited")
					break
				}
				if admitted++; admitted > 10*burst {
					break
				}
			}
			if !load.Sleep(ctx, time.Millisecond) {
				return ctx.Err()
			}
		}
		most := burst + perSecond*time.Since(began).Seconds() + 1
		least := burst + perSecond*asked.Sub(began).Seconds() - 1
		t.checks.Expect(float64(admitted) <= most, fmt.Sprintf("a rate of %d/s with a burst of %d admits more than its tokens", perSecond, burst))
		t.checks.Expect(float64(admitted) >= math.Floor(least) || longest >= full, fmt.Sprintf("a rate of %d/s with a burst of %d admits less than its tokens", perSecond, burst))
		t.checks.Expect(s.Telemetry().RateLimited == refused, "the telemetry's RateLimited does not match the refused operations")
		return nil
	})
}

// checkRefusals checks that starts, actions and signals are admitted up to the burst and
// then refused with ErrRateLimited.
func (t *guardChecks) checkRefusals(ctx context.Context) error {
	const burst, attempts = 6, 10
	slowly := guard.Rate{PerSecond: 0.001, Burst: burst}
	rates := map[guard.Operation]guard.Rate{mabeam.OperationAction: slowly, mabeam.OperationSignal: slowly, mabeam.OperationStartAgent: slowly}
	return t.withSystem(ctx, func(o *mabeam.Options) { o.Rates = rates }, func(system *mabeam.System, g Calls) error {
		var last string
		for _, kind := range []struct {
			name string
			try  func() error
		}{
			{"starts", func() error {
				id, err := g.Start(ctx, mabeam.Spec{Type: "guarded", Behaviour: &guardAgent{}})
				if err == nil {
					last = id
				}
				return err
			}},
			{"actions", func() error {
				_, err := g.Execute(ctx, last, "work", nil)
				return err
			}},
			{"signals", func() error { return g.Signal(mabeam.Signal{Type: "guard", Target: last}) }},
		} {
			admitted := 0
			for range attempts {
				switch err := kind.try(); {
				case err == nil:
					admitted++
				case !errors.Is(err, mabeam.ErrRateLimited):
					t.checks.Add(1, kind.name+" above their rate are refused with another error than ErrRateLimited")
				}
			}
			t.checks.Expect(admitted == burst, fmt.Sprintf("%d of %d %s are admitted at a rate with a burst of %d", admitted, attempts, kind.name, burst))
		}
		// Other ways to request an action keep to its rate too. Tell waits for a token, unless
		// that comes after its deadline.
		limited, cancel := context.WithTimeout(ctx, resources.SettleTimeout)
		defer cancel()
		t.checks.Expect(errors.Is(g.Tell(limited, last, "work", nil), mabeam.ErrRateLimited), "Tell is not refused with ErrRateLimited when its token comes after its deadline")
		_, requested := system.Request(ctx, mabeam.Message{Type: "work", Target: last})
		sent := system.Send(mabeam.Message{Type: "work", Target: last})
		answers, err := system.Gather(ctx, []string{last}, "work", nil)
		refused := errors.Is(requested, mabeam.ErrRateLimited) && errors.Is(sent, mabeam.ErrRateLimited) &&
			err == nil && len(answers) == 1 && errors.Is(answers[0].Err, mabeam.ErrRateLimited)
		t.checks.Expect(refused, "Request, Send or Gather above the rate of actions is not refused with ErrRateLimited")
		return nil
	})
}

// checkWaiting checks that Publish and Limiter.Wait wait for a token, unless that comes
// after their deadline.
func (t *guardChecks) checkWaiting(ctx context.Context) error {
	const perSecond, burst, attempts = 500, 5, 15
	rate := guard.Rate{PerSecond: perSecond, Burst: burst}
	const rare = guardOperation + "_rare"
	rates := map[guard.Operation]guard.Rate{mabeam.OperationPublish: rate, guardOperation: rate, rare: {PerSecond: 0.001, Burst: 1}}
	return t.withSystem(ctx, func(o *mabeam.Options) { o.Rates = rates }, func(s *mabeam.System, g Calls) error {
		for name, attempt := range map[string]func() error{
			"events":     func() error { return g.Publish(ctx, mabeam.Event{Type: "guard"}) },
			"operations": func() error { return s.Limiter().Wait(ctx, guardOperation) },
		} {
			began := time.Now()
			for range attempts {
				t.checks.Expect(attempt() == nil, name+" above their rate are refused instead of waiting")
			}
			t.checks.Expect(time.Since(began) >= (attempts-burst-1)*time.Second/perSecond, name+" above their rate do not wait for a token")
		}
		limited, cancel := context.WithTimeout(ctx, resources.SettleTimeout)
		defer cancel()
		first, second := s.Limiter().Wait(limited, rare), s.Limiter().Wait(limited, rare)
		t.checks.Expect(first == nil && errors.Is(second, mabeam.ErrRateLimited), "an operation is not refused with ErrRateLimited when its token comes after its deadline")
		return ctx.Err()
	})
}

// checkCircuit checks when a circuit opens, refuses calls, admits trials and closes.
func (t *guardChecks) checkCircuit(ctx context.Context) error {
	// If the machine stalls for as long as the circuit is open, the check says nothing.
	for openFor := 50 * time.Millisecond; ; openFor *= 4 {
		var late bool
		options := &guard.BreakerOptions{Failures: circuitFailures, OpenFor: openFor, Trials: circuitTrials}
		err := t.withSystem(ctx, func(o *mabeam.Options) { o.Breaker = options }, func(s *mabeam.System, g Calls) (err error) {
			c := &circuitCheck{guardChecks: t, system: s, Calls: g, openFor: openFor}
			late, err = c.run(ctx)
			return err
		})
		if err != nil || !late {
			return err
		}
		if openFor > time.Second {
			t.checks.recorder.Inconclusive("the machine stalls for so long that the circuit breaker cannot be checked")
			return nil
		}
	}
}

// checkMailbox checks that a mailbox accepts exactly its capacity, and that the agent
// handles all of it exactly once and in order.
func (t *guardChecks) checkMailbox(ctx context.Context) error {
	const capacity = 16
	return t.withSystem(ctx, func(o *mabeam.Options) { o.Mailbox = capacity }, func(s *mabeam.System, g Calls) error {
		a := &guardAgent{}
		id, err := g.Start(ctx, mabeam.Spec{Type: "guarded", Behaviour: a})
		if err != nil {
			return err
		}
		if err := s.SuspendAgent(id); err != nil {
			return err
		}
		accepted := 0
		for n := range 2 * capacity {
			limited, cancel := context.WithTimeout(ctx, 2*time.Millisecond)
			err := g.Tell(limited, id, "work", n)
			cancel()
			if err != nil {
				t.checks.Expect(errors.Is(err, mabeam.ErrTimeout), "Tell to a full mailbox returns another error than ErrTimeout")
				break
			}
			accepted++
		}
		t.checks.Expect(accepted == capacity, fmt.Sprintf("a mailbox of %d accepts %d", capacity, accepted))
		_, err = g.Execute(ctx, id, "work", -1)
		t.checks.Expect(errors.Is(err, mabeam.ErrMailboxFull), "Execute to a full mailbox returns another error than ErrMailboxFull")
		if err := s.ResumeAgent(id); err != nil {
			return err
		}
		resources.WaitWhile(ctx, func() bool { return len(a.work()) < accepted })
		t.checks.Expect(slices.Equal(a.work(), Numbers(0, accepted)), "an agent does not handle a full mailbox exactly once and in order")
		return nil
	})
}

// errRefused is the error of actions and calls that fail on purpose.
var errRefused = errors.New("refused on purpose")

// A guardAgent records its work. The action hang blocks until its channel is closed,
// whatever the context says.
type guardAgent struct {
	mabeam.Defaults
	entered atomic.Int64

	mu   sync.Mutex
	done []int
}

func (a *guardAgent) HandleAction(_ context.Context, _ *mabeam.Agent, action string, params any) (any, error) {
	switch action {
	case "work":
		if n, ok := params.(int); ok {
			a.mu.Lock()
			a.done = append(a.done, n)
			a.mu.Unlock()
		}
		return nil, nil
	case "fail":
		return nil, errRefused
	case "hang":
		a.entered.Add(1)
		<-params.(chan struct{})
		return nil, nil
	}
	return nil, mabeam.ErrUnknownAction
}

// work returns the recorded work.
func (a *guardAgent) work() []int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.done)
}

package measure

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/guard"
	"mabeam-top/internal/stress/load"
)

// The circuit that is checked opens after circuitFailures in a row, and lets
// circuitTrials through on trial.
const circuitFailures, circuitTrials = 3, 2

// A circuitCheck checks the rules of a circuit breaker.
type circuitCheck struct {
	*guardChecks
	system *mabeam.System
	guardedCalls
	openFor time.Duration
	refused int64
}

// run checks all rules. It says late if the machine stood still while a circuit was
// open, so that nothing can be said.
func (c *circuitCheck) run(ctx context.Context) (late bool, err error) {
	const target = "target"
	succeed := func(context.Context) error { return nil }
	fail := func(context.Context) error { return errRefused }
	call := func(f func(context.Context) error) (called bool, err error) {
		err = c.do(ctx, target, func(ctx context.Context) error {
			called = true
			return f(ctx)
		})
		return called, err
	}
	calls := func(n int, f func(context.Context) error, what string) {
		for range n {
			called, _ := call(f)
			c.checks.expect(called, what)
		}
	}
	open := func(when string) bool {
		began := time.Now()
		calls(circuitFailures, fail, "a closed circuit refuses a call")
		var wrong int64
		for range 3 {
			if called, err := call(succeed); called || !errors.Is(err, mabeam.ErrCircuitOpen) {
				wrong++
			}
		}
		if time.Since(began) >= c.openFor {
			return false
		}
		c.refused += 3 - wrong
		c.checks.add(wrong, fmt.Sprintf("after %d failures in a row%s a call is not refused with ErrCircuitOpen", circuitFailures, when))
		c.checks.expect(c.system.Breaker().State(target) == guard.Open, "a circuit that refuses calls does not show as open")
		return true
	}

	calls(circuitFailures-1, fail, "a circuit refuses a call before it has failed often enough")
	calls(1, succeed, "a circuit refuses a call before it has failed often enough")
	calls(circuitFailures-1, fail, "a circuit opens though its failures were not in a row")
	calls(1, succeed, "a circuit opens though its failures were not in a row")
	if !open("") {
		return true, nil
	}
	if !load.Sleep(ctx, c.openFor) {
		return false, ctx.Err()
	}
	if !c.checkTrials(ctx, target) {
		return true, nil
	}
	c.checks.expect(c.system.Breaker().State(target) == guard.Closed, "a circuit whose trials succeeded does not show as closed")
	calls(3, succeed, "a circuit whose trials succeeded is not closed")
	if !open(" after it was closed") {
		return true, nil
	}
	if !load.Sleep(ctx, c.openFor) {
		return false, ctx.Err()
	}
	began := time.Now()
	calls(1, fail, "a circuit does not let a call through on trial after its time")
	called, err := call(succeed)
	if time.Since(began) >= c.openFor {
		return true, nil
	}
	if c.checks.expect(!called && errors.Is(err, mabeam.ErrCircuitOpen), "a circuit whose trial failed is not open again") {
		c.refused++
	}
	return c.checkAgents(ctx)
}

// trials checks that of more calls at once than are let through on trial exactly those
// are. It says false if the machine stood still.
func (c *circuitCheck) checkTrials(ctx context.Context, target string) (intime bool) {
	const callers = 2*circuitTrials + 1
	var entered, refused atomic.Int64
	release := make(chan struct{})
	began := time.Now()
	var waiting sync.WaitGroup
	for range callers {
		waiting.Go(func() {
			err := c.do(ctx, target, func(context.Context) error {
				entered.Add(1)
				<-release
				return nil
			})
			if errors.Is(err, mabeam.ErrCircuitOpen) {
				refused.Add(1)
			}
		})
	}
	waitWhile(ctx, func() bool { return entered.Load()+refused.Load() < callers })
	took := time.Since(began)
	close(release)
	waiting.Wait()
	if took >= c.openFor { // others may take the places of trials that last so long
		return false
	}
	c.refused += refused.Load()
	c.checks.expect(entered.Load() == circuitTrials && refused.Load() == callers-circuitTrials,
		fmt.Sprintf("of %d calls on trial %d are let through at once, and %d are refused with ErrCircuitOpen", circuitTrials, entered.Load(), refused.Load()))
	return true
}

// agents checks that calls of agents are guarded: an agent that is not there opens its
// circuit, and an error of its action does not. It says late if the machine stood still.
func (c *circuitCheck) checkAgents(ctx context.Context) (late bool, err error) {
	id, err := c.start(ctx, mabeam.Spec{Type: "guarded", Behaviour: &guardAgent{}})
	if err != nil {
		return false, err
	}
	for range 2 * circuitFailures {
		_, err := c.execute(ctx, id, "fail", nil)
		c.checks.expect(errors.Is(err, errRefused), "the error of an action opens the circuit of its agent")
	}
	if err := c.system.StopAgent(ctx, id); err != nil {
		return false, err
	}
	began := time.Now()
	for range circuitFailures {
		_, err := c.execute(ctx, id, "work", nil)
		c.checks.expect(errors.Is(err, mabeam.ErrUnknownAgent), "the circuit of an agent is open before it has failed often enough")
	}
	_, err = c.execute(ctx, id, "work", nil)
	if time.Since(began) >= c.openFor {
		return true, nil
	}
	if c.checks.expect(errors.Is(err, mabeam.ErrCircuitOpen), "the circuit of an agent that is not there does not open") {
		c.refused++
	}
	c.checks.expect(c.system.Telemetry().CircuitRefused == c.refused, "the telemetry's CircuitRefused differs from what was refused")
	return false, nil
}

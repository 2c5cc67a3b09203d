package conformance

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
	"mabeam-top/internal/stress/resources"
)

// The circuit under test opens after circuitFailures in a row, and admits circuitTrials
// concurrent trials.
const circuitFailures, circuitTrials = 3, 2

// A circuitCheck checks the rules of a circuit breaker.
type circuitCheck struct {
	*guardChecks
	system *mabeam.System
	Calls
	openFor time.Duration
	refused int64
}

// run runs all checks. It returns late if the machine stalled while a circuit was open, so
// that the checks say nothing.
func (c *circuitCheck) run(ctx context.Context) (late bool, err error) {
	const target = "target"
	succeed := func(context.Context) error { return nil }
	fail := func(context.Context) error { return errRefused }
	call := func(f func(context.Context) error) (called bool, err error) {
		err = c.Do(ctx, target, func(ctx context.Context) error {
			called = true
			return f(ctx)
		})
		return called, err
	}
	calls := func(n int, f func(context.Context) error, what string) {
		for range n {
			called, _ := call(f)
			c.checks.Expect(called, what)
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
		c.checks.Add(wrong, fmt.Sprintf("after %d failures in a row%s a call is not refused with ErrCircuitOpen", circuitFailures, when))
		c.checks.Expect(c.system.Breaker().State(target) == guard.Open, "a circuit that refuses calls is not shown as open")
		return true
	}

	calls(circuitFailures-1, fail, "a circuit refuses a call before enough failures")
	calls(1, succeed, "a circuit refuses a call before enough failures")
	calls(circuitFailures-1, fail, "a circuit opens although its failures were not in a row")
	calls(1, succeed, "a circuit opens although its failures were not in a row")
	if !open("") {
		return true, nil
	}
	if !load.Sleep(ctx, c.openFor) {
		return false, ctx.Err()
	}
	if !c.checkTrials(ctx, target) {
		return true, nil
	}
	c.checks.Expect(c.system.Breaker().State(target) == guard.Closed, "a circuit is not shown as closed after successful trials")
	calls(3, succeed, "a circuit is not closed after successful trials")
	if !open(" after it was closed") {
		return true, nil
	}
	if !load.Sleep(ctx, c.openFor) {
		return false, ctx.Err()
	}
	began := time.Now()
	calls(1, fail, "a circuit does not admit a trial after its open time")
	called, err := call(succeed)
	if time.Since(began) >= c.openFor {
		return true, nil
	}
	if c.checks.Expect(!called && errors.Is(err, mabeam.ErrCircuitOpen), "a circuit is not open again after a failed trial") {
		c.refused++
	}
	return c.checkAgents(ctx)
}

// checkTrials checks that exactly the allowed number of concurrent trials is admitted. It
// returns false if the machine stalled.
func (c *circuitCheck) checkTrials(ctx context.Context, target string) (intime bool) {
	const callers = 2*circuitTrials + 1
	var entered, refused atomic.Int64
	release := make(chan struct{})
	began := time.Now()
	var waiting sync.WaitGroup
	for range callers {
		waiting.Go(func() {
			err := c.Do(ctx, target, func(context.Context) error {
				entered.Add(1)
				<-release
				return nil
			})
			if errors.Is(err, mabeam.ErrCircuitOpen) {
				refused.Add(1)
			}
		})
	}
	resources.WaitWhile(ctx, func() bool { return entered.Load()+refused.Load() < callers })
	took := time.Since(began)
	close(release)
	waiting.Wait()
	if took >= c.openFor { // later calls may replace trials that last so long
		return false
	}
	c.refused += refused.Load()
	c.checks.Expect(entered.Load() == circuitTrials && refused.Load() == callers-circuitTrials,
		fmt.Sprintf("with %d concurrent trials allowed, %d are admitted and %d are refused with ErrCircuitOpen", circuitTrials, entered.Load(), refused.Load()))
	return true
}

// checkAgents checks that calls of agents are guarded: an unknown agent opens its circuit,
// and an error of an action does not. It returns late if the machine stalled.
func (c *circuitCheck) checkAgents(ctx context.Context) (late bool, err error) {
	id, err := c.Start(ctx, mabeam.Spec{Type: "guarded", Behaviour: &guardAgent{}})
	if err != nil {
		return false, err
	}
	for range 2 * circuitFailures {
		_, err := c.Execute(ctx, id, "fail", nil)
		c.checks.Expect(errors.Is(err, errRefused), "the error of an action opens the circuit of its agent")
	}
	if err := c.system.StopAgent(ctx, id); err != nil {
		return false, err
	}
	began := time.Now()
	for range circuitFailures {
		_, err := c.Execute(ctx, id, "work", nil)
		c.checks.Expect(errors.Is(err, mabeam.ErrUnknownAgent), "the circuit of an agent is open before enough failures")
	}
	_, err = c.Execute(ctx, id, "work", nil)
	if time.Since(began) >= c.openFor {
		return true, nil
	}
	if c.checks.Expect(errors.Is(err, mabeam.ErrCircuitOpen), "the circuit of an unknown agent does not open") {
		c.refused++
	}
	c.checks.Expect(c.system.Telemetry().CircuitRefused == c.refused, "the telemetry's CircuitRefused does not match the refused calls")
	return false, nil
}

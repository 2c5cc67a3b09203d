package stress

import (
	"fmt"

	"mabeam-top/internal/stress/fault"
	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
)

// minRate and maxRate limit the factor by which a viewer can multiply the rates of
// open loads.
const minRate, maxRate = 0.01, 100.0

// Command implements stream.Steerable.
func (r *run) Command(c stream.Command) error {
	if err := checkCommand(c); err != nil {
		return err
	}
	r.steerMu.Lock()
	defer r.steerMu.Unlock()
	started := r.stop != nil
	switch {
	case r.over, !started && (c.Do == stream.Stop || c.Do == stream.SetPaused || c.Do == stream.SetRate):
		return stream.ErrNotSteerable // before the start there is no stream to log it to
	case c.Do == stream.Stop:
		r.stop()
		return nil
	case r.executor != nil:
		if err := r.executor.command(c); err != nil {
			return err
		}
	case c.Do == stream.InjectFault:
		return fault.ErrNoLoad
	}
	r.applySetting(c)
	return nil
}

// checkCommand returns what is wrong with a command.
func checkCommand(c stream.Command) error {
	switch c.Do {
	case stream.Stop, stream.SetPaused, stream.SetInspection:
		return nil
	case stream.SetRate:
		if c.Rate >= minRate && c.Rate <= maxRate {
			return nil
		}
		return fmt.Errorf("set the rate: expected %v to %v times the planned rate, not %v", minRate, maxRate, c.Rate)
	case stream.InjectFault:
		return scenario.CheckFault(c.Fault)
	}
	return fmt.Errorf("unknown command %q", c.Do)
}

// applySetting keeps a setting for the executors and steps to come, and applies it
// to the current steps; the lock is held.
func (r *run) applySetting(c stream.Command) {
	switch c.Do {
	case stream.SetPaused:
		switch {
		case c.Paused == r.paused.Paused:
		case c.Paused:
			r.logManual("load paused")
		default:
			r.logManual("load resumed")
		}
		r.paused = c
	case stream.SetRate:
		if r.rate.Rate != c.Rate {
			r.logManual("rate set to " + quantity.Percent(c.Rate) + " of the plan")
		}
		r.rate = c
	case stream.SetInspection:
		r.inspection = c
	}
	r.steerSteps()
}

// steerSteps applies the settings that void a verdict to the current steps, and lifts
// the time limit of a scenario whose load is steered; the lock is held.
func (r *run) steerSteps() {
	for _, s := range r.steps {
		if r.paused.Paused {
			s.setPaused()
		}
		if r.rate.Do != "" {
			s.setRate(r.rate.Rate)
		}
	}
	if r.limit != nil && (r.paused.Paused || r.rate.Do != "") {
		r.limit.lift()
	}
}

// setExecutor sets the executor that carries out a repetition, and the steps that
// take part in it; nil is none. The executor gets the settings that were made
// before.
func (r *run) setExecutor(e executor, steps []*stepRun) {
	r.steerMu.Lock()
	defer r.steerMu.Unlock()
	r.executor, r.steps = e, steps
	r.steerSteps()
	if e == nil {
		return
	}
	for _, c := range []stream.Command{r.paused, r.rate, r.inspection} {
		if c.Do != "" {
			_ = e.command(c) // only a process that has died or hangs refuses a setting, and that shows by itself
		}
	}
}

// end refuses all commands from now on.
func (r *run) end() {
	r.steerMu.Lock()
	defer r.steerMu.Unlock()
	r.over = true
}

// logManual logs what a viewer did.
func (r *run) logManual(message string) {
	r.emit(stream.Event{Type: stream.Logged, Log: &stream.Log{Level: "info", Message: message, ByHand: true}})
}

// command implements executor.
func (e *inProcess) command(c stream.Command) error {
	switch c.Do {
	case stream.SetPaused:
		e.control.SetPaused(c.Paused)
	case stream.SetRate:
		e.control.SetRate(c.Rate)
	case stream.SetInspection:
		e.inspectRequest.Store(&c.Inspect)
	case stream.InjectFault:
		return e.injectFault(c.Fault)
	}
	return nil
}

// injectFault injects a fault into the first of the running steps that it can hit.
func (e *inProcess) injectFault(text string) error {
	e.mu.Lock()
	parts := e.parts
	e.mu.Unlock()
	err := fault.ErrNoLoad
	for _, p := range parts {
		var f scenario.Fault
		if f, err = scenario.ParseFault(&p.env.measurement.Measurement, text); err == nil {
			if err = p.env.faults.Inject(f); err == nil {
				return nil
			}
		}
	}
	return fmt.Errorf("inject the fault %s: %w", text, err)
}

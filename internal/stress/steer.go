package stress

import (
	"context"
	"fmt"
	"time"

	"mabeam-top/internal/stress/fault"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
)

// Command implements stream.Steerable.
func (r *run) Command(c stream.Command) error {
	if err := r.check(c); err != nil {
		return err
	}
	r.steerMu.Lock()
	defer r.steerMu.Unlock()
	begun := r.stop != nil
	switch {
	case r.over, !begun && (c.Do == stream.Stop || c.Do == stream.SetPaused || c.Do == stream.SetRate):
		return stream.ErrNotSteerable // before it runs, nobody could be told of it
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
	switch c.Do {
	case stream.SetPaused:
		if r.paused.Paused != c.Paused {
			if c.Paused {
				r.logManual("the load is held")
			} else {
				r.logManual("the load goes on")
				for _, s := range r.steps {
					s.resume(time.Now())
				}
			}
		}
		r.paused = c
		r.clock.SetStopped(c.Paused, time.Now())
	case stream.SetRate:
		if r.rate.Rate != c.Rate {
			r.logManual("the rate is " + report.Percent(c.Rate) + " of what was planned")
		}
		r.rate = c
		for _, s := range r.steps {
			s.setRate(c.Rate, time.Now())
		}
	case stream.SetInspection:
		r.inspection = c
	}
	return nil
}

// check says what is wrong with a command.
func (r *run) check(c stream.Command) error {
	switch c.Do {
	case stream.Stop, stream.SetPaused, stream.SetInspection:
		return nil
	case stream.SetRate:
		if c.Rate >= minRate && c.Rate <= maxRate {
			return nil
		}
		return fmt.Errorf("the rate can be %v to %v times what was planned, not %v", minRate, maxRate, c.Rate)
	case stream.InjectFault:
		return scenario.CheckFault(c.Fault)
	}
	return fmt.Errorf("unknown command %q", c.Do)
}

// settings are the commands that a rig has to be given which was not there when
// they came; the lock is held.
func (r *run) settings() []stream.Command {
	var all []stream.Command
	for _, c := range []stream.Command{r.paused, r.rate, r.inspection} {
		if c.Do != "" {
			all = append(all, c)
		}
	}
	return all
}

// use says which rig carries out a repetition of which steps from now on; nil is
// none.
func (r *run) setExecutor(where executor, taking []*stepRun) {
	r.steerMu.Lock()
	defer r.steerMu.Unlock()
	r.executor, r.steps = where, taking
	if r.rate.Do != "" {
		for _, s := range taking {
			s.setRate(r.rate.Rate, time.Now())
		}
	}
	if where != nil {
		for _, c := range r.settings() {
			_ = where.command(c) // a setting is refused only by a process that has died or hangs, which shows by itself
		}
	}
}

// end refuses all commands from now on.
func (r *run) end() {
	r.steerMu.Lock()
	defer r.steerMu.Unlock()
	r.over = true
}

func (r *run) logManual(message string) {
	r.emit(stream.Event{Type: stream.Logged, Log: &stream.Log{Level: "info", Message: message, ByHand: true}})
}

// command implements rig.
func (b *inProcess) command(c stream.Command) error {
	switch c.Do {
	case stream.SetPaused:
		b.control.SetPaused(c.Paused)
	case stream.SetRate:
		b.control.SetRate(c.Rate)
	case stream.SetInspection:
		b.inspectRequest.Store(&c.Inspect)
	case stream.InjectFault:
		return b.injectNow(c.Fault)
	}
	return nil
}

// injectNow injects a fault into the first of the running steps that it can hit.
func (b *inProcess) injectNow(text string) error {
	b.jobMu.Lock()
	parts := b.parts
	b.jobMu.Unlock()
	err := fault.ErrNoLoad
	for _, p := range parts {
		var one scenario.Fault
		if one, err = scenario.ParseFault(&p.env.measurement.Measurement, text); err == nil {
			if err = p.env.faults.Inject(one); err == nil {
				return nil
			}
		}
	}
	return fmt.Errorf("the fault %s was not injected: %w", text, err)
}

// withinPlan is the context of what may take so long by the run's clock, which
// stands still while the load is held.
func (r *run) withTimeout(ctx context.Context, d time.Duration, cause error) (context.Context, context.CancelFunc) {
	return r.clock.WithTimeout(ctx, d, cause)
}

package plain

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/session"
	"mabeam-top/internal/ui/theme"
)

// The commands for a run in progress.

func (c *console) status(string) error {
	c.reportFigures(session.Figures)
	return nil
}

func (c *console) verdicts(string) error {
	for _, row := range c.rows {
		c.print("%s", sentence(row))
	}
	return nil
}

// inspectionSeconds is a little more than the time between two inspections.
const inspectionSeconds = 0.3

// inspect requests an inspection, and calls write when it has arrived. A replay has
// the inspections that were recorded.
func (c *console) inspect(want stream.Inspect, write func(*stream.Inspection)) error {
	if c.run.Replay != nil {
		in, _ := c.latest.InspectedAt(c.latest.T)
		if in.Inspection == nil {
			return errors.New("this recording has no snapshots of agents and subscriptions")
		}
		write(in.Inspection)
		return nil
	}
	if err := c.run.Command(stream.Command{Do: stream.SetInspection, Inspect: want}); err != nil {
		return err
	}
	// Rates need two inspections, so the first does not count.
	c.reported.requested = c.latest.T + inspectionSeconds
	c.awaiting = func() {
		c.awaiting = nil
		in, _ := c.latest.InspectedAt(c.latest.T)
		write(in.Inspection)
		// The run may have ended, and needs no more inspections then.
		_ = c.run.Command(stream.Command{Do: stream.SetInspection})
	}
	return nil
}

// mostRows is the number of agents or subscriptions that are reported.
const mostRows = 10

func (c *console) agents(by string) error {
	order := stream.AgentOrder(by)
	switch order {
	case "":
		order = stream.ByMailbox
	case stream.ByMailbox, stream.ByRate, stream.ByMemory:
	default:
		return fmt.Errorf("expected mailbox, rate or memory, not %s", by)
	}
	return c.inspect(stream.Inspect{Agents: mostRows, By: order}, func(in *stream.Inspection) {
		c.print("The busiest of %s agents by %s:", count(in.AgentsTotal), session.AgentOrder(in))
		for _, a := range in.Agents[:min(len(in.Agents), mostRows)] {
			text := fmt.Sprintf("%s, %s, %s: %d of %d in its mailbox, %s", a.ID, a.Type, a.Lifecycle, a.Mailbox, a.MailboxCapacity, theme.Number(a.ActionsPerSecond, theme.PerSecond))
			if a.MemoryBytes > 0 {
				text += ", " + theme.Number(float64(a.MemoryBytes), theme.Bytes)
			}
			if a.BusySeconds > 0 {
				text += ", busy for " + theme.Seconds(a.BusySeconds)
			}
			c.print("%s.", text)
		}
	})
}

func (c *console) inspectAgent(id string) error {
	if id == "" {
		return errors.New("no agent given; agents lists the busiest")
	}
	return c.inspect(stream.Inspect{Agent: id}, func(in *stream.Inspection) {
		a := in.Agent
		if a == nil || a.Summary.ID != id {
			c.print("There is no agent %s right now.", id)
			return
		}
		sum := a.Summary
		c.print("%s, %s, %s, %s old: %d of %d in its mailbox, %s, %s actions since opened, version %d.", sum.ID, sum.Type, sum.Lifecycle,
			theme.Seconds(a.AgeSeconds), sum.Mailbox, sum.MailboxCapacity, theme.Number(sum.ActionsPerSecond, theme.PerSecond), count(a.ActionsDone), a.Version)
		c.print("State: %s", a.State)
		for _, e := range a.Events {
			c.print("Event %s from %s, %s ago.", e.Type, e.Source, theme.Seconds(e.AgoSeconds))
		}
	})
}

func (c *console) bus(string) error {
	return c.inspect(stream.Inspect{Subscriptions: mostRows}, func(in *stream.Inspection) {
		subs := slices.Clone(in.Subscriptions)
		session.ByQueue.Sort(subs)
		if len(subs) == 0 {
			c.print("There are no subscriptions in this step.")
		}
		for _, sub := range subs[:min(len(subs), mostRows)] {
			c.print("%s to %s: %d of %d queued, %s delivered, %s dropped.", sub.Subscriber, sub.Pattern, sub.Queued, sub.Capacity, count(sub.Delivered), count(sub.Dropped))
		}
	})
}

func count[T int | int64](n T) string { return quantity.Format(float64(n), theme.Count) }

func (c *console) pause(string) error  { return c.setPaused(true) }
func (c *console) resume(string) error { return c.setPaused(false) }

func (c *console) setPaused(paused bool) error {
	if r := c.run.Replay; r != nil {
		return c.run.Command(stream.Command{Do: stream.SetSpeed, Speed: r.Playback().Speed, Paused: paused})
	}
	if err := c.run.Command(stream.Command{Do: stream.SetPaused, Paused: paused}); err != nil {
		return err
	}
	c.paused = paused
	return nil // the log of the run reports it
}

func (c *console) setRate(args string) error {
	n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(args, "%")), 64)
	if rate := n / 100; err != nil || rate < session.MinRate || rate > session.MaxRate {
		return fmt.Errorf("expected a rate from %s to %s of the scenario's rate, such as 120 %%", session.RateText(session.MinRate), session.RateText(session.MaxRate))
	}
	return c.run.Command(stream.Command{Do: stream.SetRate, Rate: n / 100})
}

func (c *console) fault(text string) error {
	if text == "" {
		for _, f := range c.cfg.Faults {
			c.print("%s: %s Example: fault %s", f.Name, f.Doc, f.Example)
		}
		return nil
	}
	if !c.running {
		return errors.New("no run is running")
	}
	if c.cfg.CheckFault != nil {
		if err := c.cfg.CheckFault(text); err != nil {
			return err
		}
	}
	return c.run.Command(stream.Command{Do: stream.InjectFault, Fault: text})
}

func (c *console) setInterval(args string) error {
	n, err := strconv.ParseFloat(strings.TrimSuffix(args, "s"), 64)
	interval := time.Duration(n * float64(time.Second))
	if err != nil || interval < minInterval || interval > maxInterval {
		return fmt.Errorf("expected a number of seconds from %v to %v", minInterval.Seconds(), maxInterval.Seconds())
	}
	c.interval = interval
	c.print("Figures are reported every %s.", theme.Seconds(n))
	return nil
}

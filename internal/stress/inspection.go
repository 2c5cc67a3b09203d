package stress

import (
	"cmp"
	"slices"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/supervision"
	"mabeam-top/internal/stress/stream"
)

// An inspection turns what the runtime's inspector sees into records of the
// stream.
type inspection struct {
	*mabeam.Inspector
	system *mabeam.System
}

func newInspection(s *mabeam.System) *inspection { return &inspection{s.Inspect(), s} }

// look tells what was asked for.
func (i *inspection) look(asked stream.Inspect, now time.Time) *stream.Inspection {
	out := &stream.Inspection{By: asked.By}
	if out.By == "" {
		out.By = stream.ByMailbox
	}
	if asked.Agents > 0 {
		by := map[stream.AgentOrder]mabeam.AgentOrder{stream.ByRate: mabeam.ByRate, stream.ByMemory: mabeam.ByMemory}[out.By]
		views, total := i.Agents(min(asked.Agents, maxShown), by)
		for _, v := range views {
			out.Agents = append(out.Agents, agentState(v))
		}
		out.AgentsTotal = total
	}
	if asked.Agent != "" {
		if r, ok := i.Agent(asked.Agent); ok {
			out.Agent = agentDetail(r, now)
		}
	}
	if asked.Subscriptions > 0 {
		views, total := i.Subscriptions(min(asked.Subscriptions, maxShown))
		for _, v := range views {
			out.Subscriptions = append(out.Subscriptions, stream.SubscriptionState{
				Subscriber: v.Subscriber, Pattern: v.Pattern, Policy: v.Policy.String(), Queued: v.Queued, Capacity: v.Capacity,
				Delivered: int64(v.Delivered), Dropped: int64(v.Dropped), FullSeconds: v.Full.Seconds(), Blocks: v.Policy == mabeam.Block,
			})
		}
		out.SubscriptionsTotal = total
	}
	if asked.Types > 0 {
		i.types(out, min(asked.Types, maxShown))
	}
	if asked.Waits > 0 {
		views, total := i.Waits(min(asked.Waits, maxShown))
		out.Waits, out.WaitsTotal = waitStates(views), total
	}
	if asked.Children > 0 {
		most := min(asked.Children, maxShown)
		roots := supervision.Tree(i.system, most)
		for _, n := range roots[:min(len(roots), most)] {
			out.Supervisors = append(out.Supervisors, supervisorState(n))
		}
		out.SupervisorsTotal = len(roots)
	}
	return out
}

// types tells of the types that were most at work.
func (i *inspection) types(out *stream.Inspection, most int) {
	types, others := i.Types()
	slices.SortStableFunc(types, func(x, y mabeam.TypeView) int { return cmp.Compare(y.AtWork.Sum, x.AtWork.Sum) })
	for _, v := range types[:min(len(types), most)] {
		out.Types = append(out.Types, typeState(v))
	}
	out.TypesTotal = len(types)
	if others.Handled > 0 {
		state := typeState(others)
		out.OtherTypes = &state
	}
}

func typeState(v mabeam.TypeView) stream.TypeState {
	return stream.TypeState{
		Type: v.Type, Handled: v.Handled, Failed: v.Failed, DeepestMailbox: v.DeepestMailbox,
		InMailbox: durations(v.InMailbox), AtWork: durations(v.AtWork),
	}
}

func durations(h mabeam.Histogram) stream.Durations {
	d := stream.Durations{Count: h.Count, SumSeconds: h.Sum.Seconds(), MinSeconds: h.Min.Seconds(), MaxSeconds: h.Max.Seconds()}
	for _, b := range h.Buckets {
		d.Buckets = append(d.Buckets, stream.DurationBucket{UpToSeconds: b.UpTo.Seconds(), Count: b.Count})
	}
	return d
}

func waitStates(views []mabeam.WaitView) (states []stream.WaitState) {
	for _, v := range views {
		states = append(states, stream.WaitState{Waiter: v.Waiter, Target: v.Target, Seconds: v.For.Seconds()})
	}
	return states
}

func supervisorState(n supervision.Node) stream.SupervisorState {
	s := stream.SupervisorState{
		ID: n.ID, Strategy: n.Strategy.String(), Restarts: n.Restarts, Allowed: n.Allowed, WithinSeconds: n.Within.Seconds(), Unlisted: n.Unlisted,
	}
	for _, c := range n.Children {
		child := stream.ChildState{ID: c.ID, Restart: c.Restart.String(), Restarts: c.Restarts, Alive: c.Alive, Why: c.Why}
		if c.Below != nil {
			below := supervisorState(*c.Below)
			child.Below = &below
		}
		s.Children = append(s.Children, child)
	}
	return s
}

func agentState(v mabeam.AgentView) stream.AgentState {
	return stream.AgentState{
		ID: v.ID, Type: v.Type, Lifecycle: v.Lifecycle.String(), Mailbox: v.Mailbox, MailboxCapacity: v.MailboxCapacity,
		ActionsPerSecond: v.ActionsPerSecond, MemoryBytes: v.MemoryBytes, BusySeconds: v.Busy.Seconds(),
	}
}

func agentDetail(r mabeam.AgentReport, now time.Time) *stream.AgentDetail {
	d := &stream.AgentDetail{
		Summary: agentState(r.AgentView), Parent: r.ParentID, Capabilities: r.Capabilities, Version: r.Version,
		AgeSeconds: r.Age.Seconds(), ChangedSeconds: r.Unchanged.Seconds(), ActionsDone: r.ActionsDone,
		State: r.State, Subscriptions: r.Subscriptions, Waits: waitStates(r.Waits),
	}
	for _, e := range r.Events {
		d.Events = append(d.Events, stream.BusEvent{AgoSeconds: now.Sub(e.Timestamp).Seconds(), Type: e.Type, Source: e.Source})
	}
	return d
}

const (
	// leastRate and mostRate bound by what the rates of open loads can be
	// multiplied by hand.
	minRate, maxRate = 0.01, 100.0
	// inspectEvery is the least time between two looks at the system's inside.
	inspectInterval = 250 * time.Millisecond
	// mostShown bounds how many of anything one look tells.
	maxShown = 200
)

// looking takes looks at the inside of the system with the samples, as long as a
// viewer asks for it.
type inspecting struct {
	inspector *inspection
	at        time.Time
}

// look returns what was asked for, or nil if nothing was or it is too soon.
func (b *inProcess) inspect(l *inspecting, now time.Time) *stream.Inspection {
	asked := b.inspectRequest.Load()
	if asked == nil || *asked == (stream.Inspect{}) {
		l.close()
		return nil
	}
	system := b.system.Load()
	if system == nil || now.Sub(l.at) < inspectInterval {
		return nil
	}
	l.at = now
	if l.inspector == nil || l.inspector.system != system {
		l.close()
		l.inspector = newInspection(system)
	}
	return l.inspector.look(*asked, now)
}

// close ends the inspection.
func (l *inspecting) close() {
	if l.inspector != nil {
		l.inspector.Close()
		l.inspector = nil
	}
}

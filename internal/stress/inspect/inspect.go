// Package inspect turns what the runtime's inspector sees of a system into records of
// the event stream.
package inspect

import (
	"cmp"
	"slices"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/supervision"
	"mabeam-top/internal/stress/stream"
)

const (
	// inspectInterval is the least time between two inspections of a system.
	inspectInterval = 250 * time.Millisecond
	// maxShown limits the number of entries in each list of an inspection.
	maxShown = 200
)

// An Inspector inspects systems, as often as a viewer can follow. The zero value is
// ready.
type Inspector struct {
	current *inspection // nil if there is none
	at      time.Time   // of the last inspection
}

// Inspect inspects a system. It returns nil if the system is nil or it is too soon.
func (i *Inspector) Inspect(s *mabeam.System, request stream.Inspect, now time.Time) *stream.Inspection {
	if s == nil || now.Sub(i.at) < inspectInterval {
		return nil
	}
	i.at = now
	if i.current == nil || i.current.system != s {
		i.Close()
		i.current = newInspection(s)
	}
	return i.current.run(request, now)
}

// Close ends the inspection of the current system.
func (i *Inspector) Close() {
	if i.current != nil {
		i.current.Close()
		i.current = nil
	}
}

// An inspection converts what the runtime's inspector sees to records of the
// stream.
type inspection struct {
	*mabeam.Inspector
	system *mabeam.System
}

func newInspection(s *mabeam.System) *inspection { return &inspection{s.Inspect(), s} }

// run returns what a viewer wants to see.
func (i *inspection) run(request stream.Inspect, now time.Time) *stream.Inspection {
	out := &stream.Inspection{By: request.By}
	if out.By == "" {
		out.By = stream.ByMailbox
	}
	if request.Agents > 0 {
		by := map[stream.AgentOrder]mabeam.AgentOrder{stream.ByRate: mabeam.ByRate, stream.ByMemory: mabeam.ByMemory}[out.By]
		views, total := i.Agents(min(request.Agents, maxShown), by)
		for _, v := range views {
			out.Agents = append(out.Agents, agentState(v))
		}
		out.AgentsTotal = total
	}
	if request.Agent != "" {
		if r, ok := i.Agent(request.Agent); ok {
			out.Agent = agentDetail(r, now)
		}
	}
	if request.Subscriptions > 0 {
		views, total := i.Subscriptions(min(request.Subscriptions, maxShown))
		for _, v := range views {
			out.Subscriptions = append(out.Subscriptions, stream.SubscriptionState{
				Subscriber: v.Subscriber, Pattern: v.Pattern, Policy: v.Policy.String(), Queued: v.Queued, Capacity: v.Capacity,
				Delivered: int64(v.Delivered), Dropped: int64(v.Dropped), FullSeconds: v.Full.Seconds(), Blocks: v.Policy == mabeam.Block,
			})
		}
		out.SubscriptionsTotal = total
	}
	if request.Types > 0 {
		i.types(out, min(request.Types, maxShown))
	}
	if request.Waits > 0 {
		views, total := i.Waits(min(request.Waits, maxShown))
		out.Waits, out.WaitsTotal = waitStates(views), total
	}
	if request.Children > 0 {
		most := min(request.Children, maxShown)
		roots := supervision.Tree(i.system, most)
		for _, n := range roots[:min(len(roots), most)] {
			out.Supervisors = append(out.Supervisors, supervisorState(n))
		}
		out.SupervisorsTotal = len(roots)
	}
	return out
}

// types adds the types that were busiest.
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

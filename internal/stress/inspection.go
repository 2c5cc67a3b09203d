package stress

import (
	"time"

	mabeam "mabeam-top/internal/runtime"
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
		views, total := i.Agents(min(asked.Agents, mostShown), by)
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
		views, total := i.Subscriptions(min(asked.Subscriptions, mostShown))
		for _, v := range views {
			out.Subscriptions = append(out.Subscriptions, stream.SubscriptionState{
				Subscriber: v.Subscriber, Pattern: v.Pattern, Policy: v.Policy.String(), Queued: v.Queued, Capacity: v.Capacity,
				Delivered: int64(v.Delivered), Dropped: int64(v.Dropped), FullSeconds: v.Full.Seconds(), Blocks: v.Policy == mabeam.Block,
			})
		}
		out.SubscriptionsTotal = total
	}
	return out
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
		State: r.State, Subscriptions: r.Subscriptions,
	}
	for _, e := range r.Events {
		d.Events = append(d.Events, stream.BusEvent{AgoSeconds: now.Sub(e.Timestamp).Seconds(), Type: e.Type, Source: e.Source})
	}
	return d
}

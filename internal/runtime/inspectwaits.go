package mabeam

import (
	"cmp"
	"slices"
	"time"
	"weak"
)

// mostWaiters is the maximum number of waiting agents that an Inspector tracks.
const mostWaiters = 4096

// A WaitView is what an Inspector sees of an agent that waits for another one: in Execute, Request, Gather or Await, or
// for its start, stop or restart.
type WaitView struct {
	// Waiter is the id of the agent that waits, and Target of the one that it waits for.
	Waiter, Target string
	// For is for how long every call has found the same wait; 0 at the first. The beginning of a wait is
	// not recorded, because that would make every call slower.
	For time.Duration
}

// Waits returns n of the known waits of agents for other agents, those that were found first come first, and the number
// of all known waits. Like Agents, each call visits a part of the agents, and tracks up to 4,096 agents that wait. A call
// also follows whom they wait for, so it sees a chain or a ring of waits as a whole. Waits that begin or end during the
// call may or may not be included. Callers that are not agents are not listed. If n is 0 or less, Waits returns no
// waits.
func (i *Inspector) Waits(n int) (views []WaitView, total int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.forgetWaits()
	now, waiters := time.Now(), i.knownWaiters()
	i.waitWalk.Step(i.system.agents, func(a *Agent) {
		if a.waits.Load() != nil {
			waiters.add(a)
		}
	})
	i.waiters = nil
	for at := 0; at < len(waiters.list); at++ {
		a := waiters.list[at]
		own := i.waitsOf(a, now, &waiters)
		if len(own) > 0 {
			i.waiters = append(i.waiters, weak.Make(a))
		}
		views = append(views, own...)
	}
	slices.SortFunc(views, func(x, y WaitView) int {
		return cmp.Or(cmp.Compare(y.For, x.For), cmp.Compare(x.Waiter, y.Waiter), cmp.Compare(x.Target, y.Target))
	})
	total = len(views)
	return views[:min(max(n, 0), total)], total
}

// An agentList is a list of up to mostWaiters agents without duplicates.
type agentList struct {
	list []*Agent
	has  map[*Agent]bool
}

func (l *agentList) add(a *Agent) {
	if len(l.list) < mostWaiters && !l.has[a] {
		l.has[a] = true
		l.list = append(l.list, a)
	}
}

// knownWaiters lists the agents that the last call found waiting.
func (i *Inspector) knownWaiters() agentList {
	l := agentList{has: map[*Agent]bool{}}
	for _, known := range i.waiters {
		if a := known.Value(); a != nil {
			l.add(a)
		}
	}
	return l
}

// waitsOf returns the waits of one agent, the newest first, and adds the agents that it waits for to targets if that is
// not nil. The caller holds mu.
func (i *Inspector) waitsOf(a *Agent, now time.Time, targets *agentList) (views []WaitView) {
	if a.isOver() {
		return nil
	}
	for w := a.waits.Load(); w != nil; w = w.next {
		if w.over.Load() || w.target.isOver() {
			continue
		}
		since, known := i.waits[weak.Make(w)]
		if !known {
			since = now
			i.waits[weak.Make(w)] = now
		}
		views = append(views, WaitView{Waiter: a.ID(), Target: w.target.ID(), For: now.Sub(since)})
		if targets != nil {
			targets.add(w.target)
		}
	}
	return views
}

// forgetWaits forgets the waits that are over. The caller holds mu.
func (i *Inspector) forgetWaits() {
	for known := range i.waits {
		if w := known.Value(); w == nil || w.over.Load() {
			delete(i.waits, known)
		}
	}
}

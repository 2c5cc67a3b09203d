package mabeam

import (
	"cmp"
	"slices"
	"time"
	"weak"
)

// mostWaiters is how many waiting agents an inspector keeps an eye on at most.
const mostWaiters = 4096

// A WaitView is what an Inspector sees of an agent that waits for another one's answer:
// in Execute, Request or Gather, for a Future, for its start, stop or restart.
type WaitView struct {
	// Waiter and Target are the ids of who waits, and for whom.
	Waiter, Target string
	// For is for how long the same wait was found at every look; 0 at the first. When it
	// began is not noted: that would make every call slower.
	For time.Duration
}

// Waits returns n of the waits of agents for agents, those that were found first come
// first, and how many it knows of. Like Agents it goes through a part of the agents at
// each look, and keeps an eye on those that wait, up to 4,096 of them. Who they wait for is
// looked at in the same look, so that a chain or a ring of waits is seen as a whole. A
// look is no stop: waits that began or ended meanwhile may be in it or not. Those who wait
// and are no agents are not listed. None are returned if n is 0 or less.
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

// An agentList is a list of agents, each once, up to mostWaiters.
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

// knownWaiters lists the agents that were found waiting at the last look.
func (i *Inspector) knownWaiters() agentList {
	l := agentList{has: map[*Agent]bool{}}
	for _, known := range i.waiters {
		if a := known.Value(); a != nil {
			l.add(a)
		}
	}
	return l
}

// waitsOf tells the waits of one agent, the newest first, and adds who it waits for to a
// list if that is not nil. The caller holds mu.
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

// forgetWaits forgets when those waits were found that are over. The caller holds mu.
func (i *Inspector) forgetWaits() {
	for known := range i.waits {
		if w := known.Value(); w == nil || w.over.Load() {
			delete(i.waits, known)
		}
	}
}

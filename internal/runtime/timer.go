package mabeam

import (
	"context"
	"sync"
	"time"
)

// A Timer sends an action to an agent, once or periodically. It ends with the agent that made it.
// It uses no goroutine while it waits.
type Timer struct {
	maker      *Agent
	id, action string
	params     any           // a *propagate.Envelope if values go with them
	every      time.Duration // 0: once

	mu    sync.Mutex
	timer *time.Timer
	due   time.Time
	over  bool
}

// SendAfter sends an action to an agent after a duration, and returns at once. An empty id means
// this agent. If the receiver does not exist by then, or has no room, the action becomes a dead
// letter. Timers have no rate. The action gets the values of ctx that Options.Propagate picks. The
// end of this agent ends the timer; the end of ctx does not.
func (a *Agent) SendAfter(ctx context.Context, d time.Duration, id, action string, params any) *Timer {
	return a.startTimer(d, 0, id, action, a.system.propagate.Wrap(ctx, params))
}

// Every is SendAfter for a periodic action: the nth one is sent n periods from now, however long the
// agent takes. Times that were missed are skipped. Every panics if the period is not above 0.
func (a *Agent) Every(ctx context.Context, period time.Duration, id, action string, params any) *Timer {
	if period <= 0 {
		panic("mabeam: a timer's period must be above 0")
	}
	return a.startTimer(period, period, id, action, a.system.propagate.Wrap(ctx, params))
}

func (a *Agent) startTimer(d, every time.Duration, id, action string, params any) *Timer {
	if id == "" {
		id = a.ID()
	}
	t := &Timer{maker: a, id: id, action: action, params: params, every: every, due: time.Now().Add(d)}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !a.bind(func(b *bonds) { b.timers[t] = struct{}{} }) {
		t.over = true
		return t
	}
	t.timer = time.AfterFunc(d, t.fire)
	return t
}

// Cancel ends the timer. It returns false if the timer had ended before.
func (t *Timer) Cancel() bool {
	if !t.stop() {
		return false
	}
	t.maker.unbind(func(b *bonds) { delete(b.timers, t) })
	return true
}

// stop is Cancel without removing the timer from its agent's bonds.
func (t *Timer) stop() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return false
	}
	t.over = true
	t.timer.Stop()
	return true
}

// fire sends the action, and starts the wait for the next one.
func (t *Timer) fire() {
	t.mu.Lock()
	if t.over {
		t.mu.Unlock()
		return
	}
	if t.every > 0 {
		now := time.Now()
		missed := now.Sub(t.due) / t.every // the machine slept, perhaps
		t.due = t.due.Add((missed + 1) * t.every)
		t.timer.Reset(t.due.Sub(now))
	}
	t.over = t.every == 0
	t.mu.Unlock()
	if t.every == 0 {
		t.maker.unbind(func(b *bonds) { delete(b.timers, t) })
	}
	s := t.maker.system
	err := ErrUnknownAgent
	if a := s.agents.Get(t.id); a != nil {
		err = a.send(t.action, t.params)
	}
	if err != nil {
		s.deadLetter(DeadLetter{Kind: "timer", Name: t.action, From: t.maker.ID(), To: t.id, Reason: deadReason(err)})
	}
}

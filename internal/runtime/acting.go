package mabeam

import (
	"context"

	"mabeam-top/internal/runtime/eventbus"
)

// answer carries out an action that somebody waits for, and answers it, unless the agent has ended meanwhile:
// then whoever ended it has answered, and has counted the action as failed.
func (a *Agent) answer(b *batch, i int, c *call, t *tally) {
	c.begin(a)
	if i > 0 {
		t.figures = a.figures()
	}
	var result any
	var err error
	if t.figures == nil {
		result, err = a.behaviour.HandleAction(c.callback, a, b.messages[i].action, c.params)
	} else {
		t.figures.noteWait(a.system, b, i)
		result, err = a.handleMeasured(c.callback, b.messages[i].action, c.params, t.figures)
	}
	c.endCallback()
	if !b.claim(i) {
		return
	}
	if err != nil || a.system.executed.Wanted() {
		a.recordAction(b.messages[i].action, err)
	}
	if err == nil {
		t.done++
	}
	// Free the room before the caller gets the answer, so that the mailbox is not full of finished
	// messages.
	t.flush(a)
	if c.reply(result, err) {
		a.system.lateAnswer(b.messages[i].action, a.ID())
	}
}

// handleMeasured carries out an action while there is an Inspector.
func (a *Agent) handleMeasured(ctx context.Context, action string, params any, f *typeFigures) (result any, err error) {
	err = f.work(func() (err error) {
		result, err = a.behaviour.HandleAction(ctx, a, action, params)
		return err
	})
	return result, err
}

// act carries out an action that nobody waits for. The caller counts an action that succeeds, and handles a
// panic.
func (a *Agent) act(ctx context.Context, action string, params any, f *typeFigures) (err error) {
	if f == nil {
		_, err = a.behaviour.HandleAction(ctx, a, action, params)
	} else {
		_, err = a.handleMeasured(ctx, action, params, f)
	}
	if err != nil || a.system.executed.Wanted() {
		a.recordAction(action, err)
	}
	return err
}

// actInline carries out an action on the goroutine of its caller, which is the agent's runner, and ends the
// run.
func (a *Agent) actInline(ctx context.Context, action string, params any) (result any, err error) {
	ctx = a.callbackFor(ctx)
	finished := false
	defer func() {
		if !finished {
			err = a.actionPanicked(action, recover())
		}
		endCallback(ctx)
		a.yield()
	}()
	figures := a.figures()
	if figures == nil {
		result, err = a.behaviour.HandleAction(ctx, a, action, params)
	} else {
		figures.inMailbox.Record(0)
		result, err = a.handleMeasured(ctx, action, params, figures)
	}
	finished = true
	a.recordAction(action, err)
	if err == nil {
		a.countDone(1, figures)
	}
	return result, err
}

// countDone counts actions that succeeded.
func (a *Agent) countDone(n int, f *typeFigures) {
	a.system.actionsDone.Add(int64(n))
	if f != nil {
		a.acted.Add(int64(n))
	}
}

// recordAction counts a failed action, and publishes the event of an action if somebody subscribes to it.
func (a *Agent) recordAction(action string, err error) {
	t := a.system.executed
	if err != nil {
		a.system.actionsFailed.Add(1)
		t = a.system.failed
	}
	if t.Wanted() {
		a.publishAction(t, action, err)
	}
}

// publishAction publishes the event of an action.
func (a *Agent) publishAction(t *eventbus.Topic, action string, err error) {
	data := ActionData{AgentID: a.ID(), Action: action}
	if err != nil {
		data.Error = err.Error()
	}
	a.system.bus.Announce(t, data.AgentID, data)
}

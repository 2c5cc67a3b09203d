package measure

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/scenario"
)

func messageMetrics() []scenario.Metric {
	told := func(p scenario.Params) bool { return p.Int("tell_probes") > 0 }
	replied := func(p scenario.Params) bool { return p.Int("reply_probes") > 0 }
	lost := mustBeZero("tells_lost", "Actions of tell_probes, told by four senders at once through a small mailbox, that were not carried out exactly once.")
	order := mustBeZero("tells_out_of_order", "Actions of tell_probes that were carried out after one that the same sender told later.")
	overlaps := mustBeZero("overlaps", "Callbacks of an agent that ran while another one of the same agent did, as actions and signals came from several senders at once.")
	wrong := mustBeZero("replies_wrong", "Messages of reply_probes whose reply is missing, comes twice, belongs to another message, or has another error than documented: Request and Send, to agents that are there and not, and replies that come too late.")
	lost.Given, order.Given, overlaps.Given, wrong.Given = told, told, told, replied
	return []scenario.Metric{lost, order, overlaps, wrong}
}

// tellSenders is how many tell an agent at once.
const tellSenders = 4

// checkTells has several senders tell one agent, with signals and calls in between.
func checkTells(ctx context.Context, env *stress.Env) error {
	probes := env.Params.Int("tell_probes")
	if probes == 0 {
		return nil
	}
	lost, disorder, overlaps := newChecker(env, "tells_lost"), newChecker(env, "tells_out_of_order"), newChecker(env, "overlaps")
	err := withFixture(ctx, env, 1, func(ctx context.Context, o *fixture) error {
		var senders sync.WaitGroup
		for sender := range tellSenders {
			senders.Go(func() {
				for n := range partSize(probes, sender, tellSenders) {
					err := o.system.Tell(ctx, o.ids[0], "note", [2]int{sender, n})
					lost.expect(err == nil, "an agent did not accept an action, and made no room for it in time")
					if n%8 == 0 {
						_ = o.system.Signal(mabeam.Signal{Type: "between"}, o.ids[0]) // it may have no room
					}
				}
			})
		}
		senders.Go(func() { // and one who waits for answers
			for range probes / tellSenders {
				_, _ = o.system.Execute(ctx, o.ids[0], "sync", nil)                        // through the mailbox, if that has room
				_, _ = o.system.Execute(context.WithoutCancel(ctx), o.ids[0], "sync", nil) // or at once, if the agent is idle
			}
		})
		senders.Wait()
		lost.expect(o.awaitIdle(ctx, o.ids[0]), "an agent that was told actions did not answer")
		got := make([][]int, tellSenders)
		for _, note := range o.spies[0].takeNotes() {
			from := note.([2]int)
			got[from[0]] = append(got[from[0]], from[1])
		}
		for sender := range tellSenders {
			missing, displaced := compareSequence(got[sender], numbers(0, partSize(probes, sender, tellSenders)))
			lost.add(missing, "actions that were accepted were not carried out exactly once")
			disorder.add(displaced, "actions of one sender were carried out in another order than they were told in")
		}
		overlaps.add(o.overlaps(), "an agent was called while another callback of it ran")
		return nil
	})
	lost.report()
	disorder.report()
	overlaps.report()
	return err
}

const (
	// replyCallers is how many send messages at once.
	replyCallers = 8
	// replyBatch is how many replies of Send are under way at most: as many as an
	// agent has room for are not refused.
	replyBatch = 32
	// lateReplies is how many replies come too late.
	lateReplies = 10
)

// checkReplies sends messages and looks at the replies.
func checkReplies(ctx context.Context, env *stress.Env) error {
	probes := env.Params.Int("reply_probes")
	if probes == 0 {
		return nil
	}
	wrong := newChecker(env, "replies_wrong")
	err := withFixture(ctx, env, 3, func(ctx context.Context, o *fixture) error {
		var callers sync.WaitGroup
		for caller := range replyCallers {
			callers.Go(func() {
				for n := range partSize(probes/2, caller, replyCallers) {
					checkRequest(ctx, o, o.ids[n%2], [2]int{caller, n}, wrong)
				}
			})
		}
		callers.Wait()
		for sent := 0; sent < probes/2 && ctx.Err() == nil; sent += replyBatch {
			checkSends(ctx, o, sent, min(replyBatch, probes/2-sent), wrong)
		}
		checkRefusedMessages(ctx, o, wrong)
		checkLateReplies(ctx, o, wrong)
		checkExpired(ctx, o, wrong)
		checkMessageOf(ctx, o, wrong)
		return nil
	})
	wrong.report()
	return err
}

// checkRequest sends a request to an echo and compares the reply with it.
func checkRequest(ctx context.Context, o *fixture, id string, data any, wrong *checker) {
	m := mabeam.Message{Type: "note", Source: "caller", Target: id, Data: data, CorrelationID: fmt.Sprint(data), Timeout: settleTimeout}
	reply, err := o.system.Request(ctx, m)
	wrong.expect(err == nil && reply.Data == data && reply.CorrelationID == m.CorrelationID && reply.Source == id && reply.Type == m.Type,
		"the reply to a request is missing, or is not its own")
}

// checkSends sends n messages whose replies come to the last observer as signals.
func checkSends(ctx context.Context, o *fixture, from, n int, wrong *checker) {
	inbox, at := o.ids[2], o.spies[2]
	at.takeSignals()
	for i := from; i < from+n; i++ {
		err := o.system.Send(mabeam.Message{Type: "note", Source: "caller", Target: o.ids[i%2], ReplyTo: inbox, Data: i, Timeout: settleTimeout})
		wrong.expect(err == nil, "a message was refused though there was room for it")
	}
	o.awaitIdle(ctx, o.ids[0])
	o.awaitIdle(ctx, o.ids[1])
	o.awaitIdle(ctx, inbox)
	seen := map[any]bool{}
	for _, s := range at.takeSignals() {
		reply, ok := s.Data.(mabeam.Reply)
		i, isInt := reply.Data.(int)
		wrong.expect(ok && isInt && s.Type == mabeam.SignalMessageReply && reply.Err == nil && reply.Source == o.ids[i%2] && i >= from && i < from+n && !seen[i],
			"a reply to a message of Send is not its own, or came twice")
		seen[i] = true
	}
	wrong.add(int64(n-len(seen)), "messages of Send got no reply")
}

// checkRefusedMessages sends messages that fail, each with its own error, and at once.
func checkRefusedMessages(ctx context.Context, o *fixture, wrong *checker) {
	began := time.Now()
	_, err := o.system.Request(ctx, mabeam.Message{Type: "note", Target: "nobody"})
	wrong.expect(errors.Is(err, mabeam.ErrUnknownAgent) && time.Since(began) < settleTimeout, "a request to an agent that is not there did not return ErrUnknownAgent at once")
	err = o.system.Send(mabeam.Message{Type: "note", Target: "nobody", ReplyTo: o.ids[2]})
	wrong.expect(errors.Is(err, mabeam.ErrUnknownAgent), "a message to an agent that is not there did not return ErrUnknownAgent")
	_, err = o.system.Request(ctx, mabeam.Message{Type: "fail", Target: o.ids[0], Timeout: settleTimeout})
	wrong.expect(errors.Is(err, errSpy), "a request did not return the error of its action")
	o.spies[2].takeSignals()
	err = o.system.Send(mabeam.Message{Type: "fail", Target: o.ids[0], ReplyTo: o.ids[2], Timeout: settleTimeout})
	o.awaitIdle(ctx, o.ids[0])
	o.awaitIdle(ctx, o.ids[2])
	replies := o.spies[2].takeSignals()
	wrong.expect(err == nil && len(replies) == 1 && errors.Is(replyError(replies[0]), errSpy), "the reply to a message whose action fails is not the error of the action")
}

// replyError is the error in a signal that brings a reply.
func replyError(s mabeam.Signal) error {
	reply, _ := s.Data.(mabeam.Reply)
	return reply.Err
}

// checkLateReplies has callers give up before the agent answers: its answers are
// counted, and nobody else gets them.
func checkLateReplies(ctx context.Context, o *fixture, wrong *checker) {
	id, before := o.ids[0], o.system.Telemetry().RepliesLate
	release, ok := o.block(ctx, id)
	defer release()
	if !wrong.expect(ok, "an agent did not begin an action that it was told") {
		return
	}
	inMailbox := func() int { info, _ := o.system.Agent(id); return info.Mailbox }
	full := inMailbox() + lateReplies
	// On a busy machine a request's time may be over before it is in the mailbox: no reply
	// comes too late then.
	for tries := 0; inMailbox() < full && tries < 10*lateReplies && ctx.Err() == nil; tries++ {
		_, err := o.system.Request(ctx, mabeam.Message{Type: "note", Target: id, Data: -tries, Timeout: time.Millisecond})
		wrong.expect(errors.Is(err, mabeam.ErrTimeout), "a request to an agent that is busy did not return ErrTimeout after its timeout")
	}
	wrong.expect(inMailbox() == full, "a request to an agent that is busy is not in its mailbox")
	release()
	for i := range 2 * lateReplies {
		checkRequest(ctx, o, id, i, wrong)
	}
	expectLate(ctx, o, before, wrong)
}

// expectLate waits until lateReplies more replies than before are counted as late.
func expectLate(ctx context.Context, o *fixture, before int64, wrong *checker) {
	late := func() int64 { return o.system.Telemetry().RepliesLate - before }
	waitWhile(ctx, func() bool { return late() < lateReplies })
	wrong.expect(late() == lateReplies, "the telemetry does not count each reply that came too late, once")
}

// checkExpired sends messages to an agent that does not answer in time: each is answered
// once, with ErrTimeout, and its own answer goes to nobody.
func checkExpired(ctx context.Context, o *fixture, wrong *checker) {
	inbox, before := o.spies[2], o.system.Telemetry().RepliesLate
	release, ok := o.block(ctx, o.ids[0])
	defer release()
	if !wrong.expect(ok, "an agent did not begin an action that it was told") {
		return
	}
	inbox.takeSignals()
	for i := range lateReplies {
		err := o.system.Send(mabeam.Message{Type: "note", Target: o.ids[0], ReplyTo: o.ids[2], Data: i, Timeout: time.Millisecond})
		wrong.expect(err == nil, "a message was refused though there was room for it")
	}
	var got []mabeam.Signal
	expired := func() int {
		got = append(got, inbox.takeSignals()...)
		return len(got)
	}
	waitWhile(ctx, func() bool { return expired() < lateReplies })
	release()
	o.awaitIdle(ctx, o.ids[0])
	pause(ctx)
	wrong.expect(expired() == lateReplies, "messages of Send that ran out of time did not get one reply each")
	for _, s := range got {
		wrong.expect(errors.Is(replyError(s), mabeam.ErrTimeout), "the reply to a message of Send that ran out of time is not ErrTimeout")
	}
	expectLate(ctx, o, before, wrong)
}

// A reader is an agent that answers with the message that its action came in.
type reader struct{ mabeam.Defaults }

func (reader) HandleAction(ctx context.Context, _ *mabeam.Agent, _ string, _ any) (any, error) {
	m, ok := mabeam.MessageOf(ctx)
	if !ok {
		return nil, nil
	}
	return m, nil
}

// checkMessageOf looks at what the agent that carries out a message is told of it.
func checkMessageOf(ctx context.Context, o *fixture, wrong *checker) {
	id, err := o.system.StartAgent(ctx, mabeam.Spec{Type: "reader", Behaviour: reader{}})
	wrong.expect(err == nil, "an agent did not start")
	sent := mabeam.Message{Type: "read", Source: o.ids[1], Target: id, Data: 7, CorrelationID: "of the message", Metadata: map[string]any{"key": "value"}, Timeout: settleTimeout}
	reply, err := o.system.Request(ctx, sent)
	got, ok := reply.Data.(mabeam.Message)
	wrong.expect(err == nil && ok && got.ID != "" && got.Type == sent.Type && got.Source == sent.Source && got.Target == id && got.ReplyTo == sent.Source && got.Data == sent.Data &&
		got.CorrelationID == sent.CorrelationID && got.Metadata["key"] == "value" && !got.Timestamp.IsZero(), "an agent is not told the message that it carries out as it was sent")
	answer, err := o.ask(ctx, id, "read", nil)
	wrong.expect(err == nil && answer == nil, "an agent is told of a message although its action did not come in one")
	wrong.expect(o.stop(ctx, id) == nil, "an agent did not stop")
}

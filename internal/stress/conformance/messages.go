package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/resources"
)

// tellSenders is how many senders use Tell on one agent at the same time.
const tellSenders = 4

// CheckTells lets several senders tell one agent, with signals and calls in between. It
// reports tells_lost, tells_out_of_order and overlaps, unless probes is 0.
func CheckTells(ctx context.Context, r Recorder, probes int) error {
	if probes == 0 {
		return nil
	}
	lost, disorder, overlaps := NewChecker(r, "tells_lost"), NewChecker(r, "tells_out_of_order"), NewChecker(r, "overlaps")
	err := withFixture(ctx, lost, 1, func(ctx context.Context, f *fixture) error {
		id := f.ids[0]
		var senders sync.WaitGroup
		for sender := range tellSenders {
			senders.Go(func() {
				for n := range load.PartSize(probes, sender, tellSenders) {
					err := f.system.Tell(ctx, id, "note", [2]int{sender, n})
					f.Expect(err == nil, "an agent did not accept an action before the deadline")
					if n%8 == 0 {
						_ = f.system.Signal(mabeam.Signal{Type: "between"}, id) // the mailbox may be full
					}
				}
			})
		}
		senders.Go(func() { // a caller that waits for answers
			for range probes / tellSenders {
				_, _ = f.system.Execute(ctx, id, "sync", nil)                        // through the mailbox, unless it is full
				_, _ = f.system.Execute(context.WithoutCancel(ctx), id, "sync", nil) // on the caller's goroutine, if the agent is idle
			}
		})
		senders.Wait()
		f.Expect(f.awaitIdle(ctx, id), "an agent with queued actions did not answer")
		got := make([][]int, tellSenders)
		for _, note := range f.spies[0].takeNotes() {
			from := note.([2]int)
			got[from[0]] = append(got[from[0]], from[1])
		}
		for sender := range tellSenders {
			missing, displaced := compareSequence(got[sender], Numbers(0, load.PartSize(probes, sender, tellSenders)))
			f.Add(missing, "accepted actions were not handled exactly once")
			disorder.Add(displaced, "actions were handled in another order than their sender sent them")
		}
		overlaps.Add(f.overlaps(), "an agent was called during another of its callbacks")
		return nil
	})
	lost.Report()
	disorder.Report()
	overlaps.Report()
	return err
}

const (
	// replyCallers is how many callers send requests at the same time.
	replyCallers = 8
	// replyBatch is the maximum of outstanding replies of Send. The mailbox has room for
	// all of them, so none is refused.
	replyBatch = 32
	// lateReplies is how many replies come after their timeout.
	lateReplies = 10
)

// CheckReplies sends messages, checks their replies, and reports replies_wrong, unless
// probes is 0.
func CheckReplies(ctx context.Context, r Recorder, probes int) error {
	if probes == 0 {
		return nil
	}
	wrong := NewChecker(r, "replies_wrong")
	err := withFixture(ctx, wrong, 3, func(ctx context.Context, f *fixture) error {
		var callers sync.WaitGroup
		for caller := range replyCallers {
			callers.Go(func() {
				for n := range load.PartSize(probes/2, caller, replyCallers) {
					f.checkRequest(ctx, f.ids[n%2], [2]int{caller, n})
				}
			})
		}
		callers.Wait()
		for sent := 0; sent < probes/2 && ctx.Err() == nil; sent += replyBatch {
			f.checkSends(ctx, sent, min(replyBatch, probes/2-sent))
		}
		f.checkRefusedMessages(ctx)
		f.checkLateReplies(ctx)
		f.checkExpired(ctx)
		f.checkMessageOf(ctx)
		return nil
	})
	wrong.Report()
	return err
}

// checkRequest sends a request and compares the reply with it.
func (f *fixture) checkRequest(ctx context.Context, id string, data any) {
	m := mabeam.Message{Type: "note", Source: "caller", Target: id, Data: data, CorrelationID: fmt.Sprint(data), Timeout: resources.SettleTimeout}
	reply, err := f.system.Request(ctx, m)
	f.Expect(err == nil && reply.Data == data && reply.CorrelationID == m.CorrelationID && reply.Source == id && reply.Type == m.Type,
		"the reply to a request is missing or of another request")
}

// checkSends sends n messages whose replies reach the last spy as signals.
func (f *fixture) checkSends(ctx context.Context, from, n int) {
	inbox := f.spies[2]
	inbox.takeSignals()
	for i := from; i < from+n; i++ {
		err := f.system.Send(mabeam.Message{Type: "note", Source: "caller", Target: f.ids[i%2], ReplyTo: f.ids[2], Data: i, Timeout: resources.SettleTimeout})
		f.Expect(err == nil, "an agent with free mailbox capacity did not accept a message")
	}
	for _, id := range f.ids {
		f.awaitIdle(ctx, id)
	}
	seen := map[any]bool{}
	for _, s := range inbox.takeSignals() {
		reply, ok := s.Data.(mabeam.Reply)
		i, isInt := reply.Data.(int)
		f.Expect(ok && isInt && s.Type == mabeam.SignalMessageReply && reply.Err == nil && reply.Source == f.ids[i%2] && i >= from && i < from+n && !seen[i],
			"the reply to a message of Send is repeated or of another message")
		seen[i] = true
	}
	f.Add(int64(n-len(seen)), "messages of Send got no reply")
}

// checkRefusedMessages sends messages that fail, each with its own error and at once.
func (f *fixture) checkRefusedMessages(ctx context.Context) {
	began := time.Now()
	_, err := f.system.Request(ctx, mabeam.Message{Type: "note", Target: unknownAgent})
	f.Expect(errors.Is(err, mabeam.ErrUnknownAgent) && time.Since(began) < resources.SettleTimeout, "Request to an unknown agent did not return ErrUnknownAgent at once")
	err = f.system.Send(mabeam.Message{Type: "note", Target: unknownAgent, ReplyTo: f.ids[2]})
	f.Expect(errors.Is(err, mabeam.ErrUnknownAgent), "Send to an unknown agent did not return ErrUnknownAgent")
	_, err = f.system.Request(ctx, mabeam.Message{Type: "fail", Target: f.ids[0], Timeout: resources.SettleTimeout})
	f.Expect(errors.Is(err, errSpy), "Request did not return the error of its action")
	f.spies[2].takeSignals()
	err = f.system.Send(mabeam.Message{Type: "fail", Target: f.ids[0], ReplyTo: f.ids[2], Timeout: resources.SettleTimeout})
	f.awaitIdle(ctx, f.ids[0])
	f.awaitIdle(ctx, f.ids[2])
	replies := f.spies[2].takeSignals()
	f.Expect(err == nil && len(replies) == 1 && errors.Is(replyError(replies[0]), errSpy), "the reply to a message of Send lacks the error of its action")
}

// replyError returns the error in a signal that carries a reply.
func replyError(s mabeam.Signal) error {
	reply, _ := s.Data.(mabeam.Reply)
	return reply.Err
}

// checkLateReplies lets callers time out before the agent answers. The late replies must
// be counted and must reach nobody else.
func (f *fixture) checkLateReplies(ctx context.Context) {
	id, before := f.ids[0], f.system.Telemetry().RepliesLate
	release, ok := f.block(ctx, id)
	defer release()
	if !ok {
		return
	}
	inMailbox := func() int { info, _ := f.system.Agent(id); return info.Mailbox }
	full := inMailbox() + lateReplies
	// On a busy machine a request may time out before it is in the mailbox, and then has
	// no late reply.
	for tries := 0; inMailbox() < full && tries < 10*lateReplies && ctx.Err() == nil; tries++ {
		_, err := f.system.Request(ctx, mabeam.Message{Type: "note", Target: id, Data: -tries, Timeout: time.Millisecond})
		f.Expect(errors.Is(err, mabeam.ErrTimeout), "Request to a busy agent did not return ErrTimeout after its timeout")
	}
	f.Expect(inMailbox() == full, "a request to a busy agent is not in its mailbox")
	release()
	for i := range 2 * lateReplies {
		f.checkRequest(ctx, id, i)
	}
	f.expectLate(ctx, before)
}

// expectLate waits until the telemetry counts lateReplies more late replies than before.
func (f *fixture) expectLate(ctx context.Context, before int64) {
	late := func() int64 { return f.system.Telemetry().RepliesLate - before }
	resources.WaitWhile(ctx, func() bool { return late() < lateReplies })
	f.Expect(late() == lateReplies, "the telemetry does not count each late reply once")
}

// checkExpired sends messages to an agent that does not answer in time. Each must get one
// reply, with ErrTimeout, and the agent's own answer must reach nobody.
func (f *fixture) checkExpired(ctx context.Context) {
	inbox, before := f.spies[2], f.system.Telemetry().RepliesLate
	release, ok := f.block(ctx, f.ids[0])
	defer release()
	if !ok {
		return
	}
	inbox.takeSignals()
	for i := range lateReplies {
		err := f.system.Send(mabeam.Message{Type: "note", Target: f.ids[0], ReplyTo: f.ids[2], Data: i, Timeout: time.Millisecond})
		f.Expect(err == nil, "an agent with free mailbox capacity did not accept a message")
	}
	var got []mabeam.Signal
	expired := func() int {
		got = append(got, inbox.takeSignals()...)
		return len(got)
	}
	resources.WaitWhile(ctx, func() bool { return expired() < lateReplies })
	release()
	f.awaitIdle(ctx, f.ids[0])
	Pause(ctx)
	f.Expect(expired() == lateReplies, "messages of Send that timed out did not get one reply each")
	for _, s := range got {
		f.Expect(errors.Is(replyError(s), mabeam.ErrTimeout), "the reply to a message of Send that timed out is not ErrTimeout")
	}
	f.expectLate(ctx, before)
}

// checkMessageOf checks what the agent that handles a message learns about it.
func (f *fixture) checkMessageOf(ctx context.Context) {
	reader := func(ctx context.Context, _ *mabeam.Agent, _ string, _ any) (any, error) {
		if m, ok := mabeam.MessageOf(ctx); ok {
			return m, nil
		}
		return nil, nil
	}
	id, err := f.system.StartAgent(ctx, mabeam.Spec{Type: "reader", Behaviour: actionAgent{handle: reader}})
	f.Expect(err == nil, "an agent did not start")
	sent := mabeam.Message{Type: "read", Source: f.ids[1], Target: id, Data: 7, CorrelationID: "correlation", Metadata: map[string]any{"key": "value"}, Timeout: resources.SettleTimeout}
	reply, err := f.system.Request(ctx, sent)
	got, ok := reply.Data.(mabeam.Message)
	f.Expect(err == nil && ok && got.ID != "" && got.Type == sent.Type && got.Source == sent.Source && got.Target == id && got.ReplyTo == sent.Source && got.Data == sent.Data &&
		got.CorrelationID == sent.CorrelationID && got.Metadata["key"] == "value" && !got.Timestamp.IsZero(), "MessageOf does not return the message as it was sent")
	answer, err := f.execute(ctx, id, "read", nil)
	f.Expect(err == nil && answer == nil, "MessageOf returns a message for an action that came without one")
	f.expectStop(ctx, id)
}

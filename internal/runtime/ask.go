package mabeam

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"mabeam-top/internal/runtime/internal/failure"

	"mabeam-top/internal/runtime/internal/propagate"
)

// A question is an action whose caller does not wait. It has one answer: that of the agent, or
// a timeout.
type question struct {
	system        *System
	asked, action string
	take          takeAnswer
	forget        func() // stops the timeout
	answered      atomic.Bool
}

// takeAnswer gets an answer, or the reason why there is none. It returns false if nobody is left
// to receive it.
type takeAnswer func(result any, err error) bool

// ask puts an action into an agent's mailbox and returns. The action is carried out with ctx, and
// take gets its answer, or the reason why there is none, at the latest when ctx ends. An error
// means that the action was not accepted, so that take is not called.
func (s *System) ask(ctx context.Context, cancel context.CancelFunc, id, action string, params any, take takeAnswer) error {
	err := s.askAgent(ctx, cancel, id, action, params, take)
	if err != nil {
		cancel()
		return newActionError(id, action, notBegun{err})
	}
	return nil
}

func (s *System) askAgent(ctx context.Context, cancel context.CancelFunc, id, action string, params any, take takeAnswer) error {
	a := s.agents.Get(id)
	if a == nil {
		return ErrUnknownAgent
	}
	if ctx.Err() != nil {
		return failure.ContextError(ctx)
	}
	if err := s.actionRate.Allow(); err != nil {
		return err
	}
	q := &question{system: s, asked: id, action: action, take: take}
	expires := context.AfterFunc(ctx, func() { q.expire(ctx) })
	q.forget = func() { expires(); cancel() }
	err := a.sendAwaited(action, &call{system: s, ctx: ctx, params: params, deliver: q.deliver})
	if err != nil {
		q.answered.Store(true)
		q.forget()
	}
	return err
}

// deliver takes the agent's answer.
func (q *question) deliver(result any, err error) {
	first := q.answered.CompareAndSwap(false, true)
	q.forget()
	if !first || !q.take(result, err) {
		q.system.lateAnswer(q.action, q.asked)
	}
}

// expire is called when the time is up.
func (q *question) expire(ctx context.Context) {
	if q.answered.CompareAndSwap(false, true) {
		q.take(nil, failure.ContextError(ctx))
	}
}

// An AnswerHandler is a behaviour that gets the answers to Agent.Ask. If the agent's behaviour is
// not an AnswerHandler, the answers become dead letters.
type AnswerHandler interface {
	// HandleAnswer gets the answer to a question that the agent asked with Ask, or the
	// reason why there is none. A panic crashes the agent.
	HandleAnswer(ctx context.Context, self *Agent, answer AskResult)
}

// AskResult is the answer to a question of Agent.Ask.
type AskResult struct {
	Answer
	Action string
	// About is the value that was given to Ask, which identifies the question to the asker.
	About any
}

// Ask asks an agent to carry out an action, and returns at once. The answer arrives in this
// agent's mailbox and is given to its HandleAnswer: the result, or an *ActionError that says why
// there is none, at the latest at the deadline of ctx, or after 5 s if it has none. The asked
// agent's callback has the values of ctx. The end of this agent ends the question; the end of ctx
// before its deadline does not.
//
// An *ActionError returned by Ask means that the question was not accepted, so that no answer will
// come. It wraps ErrMailboxFull also if this agent has as many open questions as its mailbox has
// room for.
func (a *Agent) Ask(ctx context.Context, id, action string, params, about any) error {
	if err := a.beginQuestion(); err != nil {
		return newActionError(id, action, notBegun{err})
	}
	asked := &askAnswer{AskResult: AskResult{Answer: Answer{Agent: id}, Action: action, About: about}, values: a.system.propagate.Pick(ctx)}
	limited, cancel := context.WithDeadline(a.withAllValues(ctx), deadlineOf(ctx))
	err := a.system.ask(limited, cancel, id, action, params, func(result any, err error) bool {
		a.endQuestion()
		asked.Value = result
		if err != nil {
			asked.Err = newActionError(id, action, err)
		}
		return a.push(asked)
	})
	if err != nil {
		a.endQuestion()
	}
	return err
}

// beginQuestion counts an open question, or returns why there can be none.
func (a *Agent) beginQuestion() (err error) {
	lives := a.bind(func(b *bonds) {
		if b.asking >= a.system.mailboxCapacity {
			err = ErrMailboxFull
			return
		}
		b.asking++
	})
	if !lives {
		return a.mailbox.reason()
	}
	return err
}

func (a *Agent) endQuestion() { a.unbind(func(b *bonds) { b.asking-- }) }

// withAllValues returns a context that ends with the agent's life and has all values of ctx.
func (a *Agent) withAllValues(ctx context.Context) context.Context {
	if ctx == context.Background() {
		return a.Context()
	}
	return propagate.WithValues(a.Context(), context.WithoutCancel(ctx))
}

// An askAnswer is the message with the answer to an agent's own question, and the context values
// that it asked with.
type askAnswer struct {
	AskResult
	values context.Context
}

// handleAnswer gives an answer to a behaviour if that is an AnswerHandler.
func handleAnswer(ctx context.Context, b Behaviour, self *Agent, answer AskResult) {
	if h, ok := b.(AnswerHandler); ok {
		h.HandleAnswer(ctx, self, answer)
		return
	}
	self.system.deadLetter(DeadLetter{Kind: "answer", Name: answer.Action, To: self.ID(), Reason: DeadUnwanted})
}

// deadlineOf returns when a question has to be answered.
func deadlineOf(ctx context.Context) time.Time {
	if deadline, has := ctx.Deadline(); has {
		return deadline
	}
	return time.Now().Add(messageTimeout)
}

// A Future is the answer to a question of System.Ask, which may not have arrived yet.
type Future struct {
	asked *Agent
	done  chan struct{}
	value any
	err   error

	mu    sync.Mutex
	waits []*wait // by the agents that wait for it
}

// Ask asks an agent to carry out an action, and returns at once. The future gets the answer, or
// an *ActionError that says why there is none, at the latest when ctx ends, or after 5 s if it has
// no deadline.
func (s *System) Ask(ctx context.Context, id, action string, params any) *Future {
	f := &Future{asked: s.agents.Get(id), done: make(chan struct{})}
	limited, cancel := context.WithDeadline(ctx, deadlineOf(ctx))
	err := s.ask(limited, cancel, id, action, params, func(result any, err error) bool {
		if err != nil {
			err = newActionError(id, action, err)
		}
		f.answer(result, err)
		return true
	})
	if err != nil {
		f.answer(nil, err)
	}
	return f
}

func (f *Future) answer(value any, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range f.waits {
		w.end() // before the asker can ask anew
	}
	f.value, f.err = value, err
	close(f.done)
}

// Done returns a channel that is closed when the answer has arrived.
func (f *Future) Done() <-chan struct{} { return f.done }

// Await returns the answer, for which it waits until ctx ends. With the context of a callback whose
// agent the asked agent waits for, directly or through others, it fails at once with a
// *DeadlockError.
func (f *Future) Await(ctx context.Context) (any, error) {
	if asker := callbackOf(ctx); asker != nil && f.asked != nil {
		w, err := f.waitOf(asker)
		if err != nil {
			return nil, err
		}
		defer w.end()
	}
	select {
	case <-f.done:
	default:
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, failure.ContextError(ctx)
		}
	}
	return f.value, f.err
}

// waitOf records that an agent waits for the answer, unless it has arrived.
func (f *Future) waitOf(asker *Agent) (*wait, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.done:
		return nil, nil
	default:
	}
	w, err := asker.waitFor(f.asked)
	if err != nil {
		return nil, err
	}
	f.waits = append(f.waits, w)
	return w, nil
}

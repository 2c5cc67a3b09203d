package mabeam

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A question is an action that is asked for without waiting. Its answer is taken once: the
// agent's, or that its time is over.
type question struct {
	system        *System
	asked, action string
	take          takeAnswer
	forget        func() // its time
	answered      atomic.Bool
}

// takeAnswer gets an answer, or why there is none. It says false if there is nobody any
// longer to have it.
type takeAnswer func(result any, err error) bool

// ask leaves an action in an agent's mailbox, to be carried out with a context until that
// ends, and returns. The answer, or why there is none, is given to take when there is
// one. An error tells that the action was not accepted, so that there will be none.
func (s *System) ask(ctx context.Context, cancel context.CancelFunc, id, action string, params any, take takeAnswer) error {
	err := s.askAgent(ctx, cancel, id, action, params, take)
	if err != nil {
		cancel()
		return newActionError(id, action, notBegun{err})
	}
	return nil
}

func (s *System) askAgent(ctx context.Context, cancel context.CancelFunc, id, action string, params any, take takeAnswer) error {
	a := s.registry.agent(id)
	if a == nil {
		return ErrUnknownAgent
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

// expire is the end of its time.
func (q *question) expire(ctx context.Context) {
	if q.answered.CompareAndSwap(false, true) {
		q.take(nil, CallError(ctx))
	}
}

// An AnswerHandler is a behaviour that asks others with Agent.Ask, without waiting for them.
// The answers to a behaviour that is none are dead letters.
type AnswerHandler interface {
	// HandleAnswer gets the answer to what the agent has asked with Ask, or why there
	// is none. A panic costs the agent its life.
	HandleAnswer(ctx context.Context, self *Agent, answer Asked)
}

// Asked is the answer to a question of Agent.Ask.
type Asked struct {
	Answer
	Action string
	// About is what the asker has given with its question, to know it by.
	About any
}

// Ask asks an agent to carry out an action, and returns at once. The answer comes to this
// agent's mailbox like a message, and is given to its HandleAnswer: the result, or an
// *ActionError that says why there is none, within the deadline of ctx, or 5 s if it has
// none. The asked agent's callback has the values of ctx; it is not the end of ctx that
// ends the question, but that of this agent. An *ActionError means that the question was
// not accepted, so that no answer will come: with ErrMailboxFull also if as many questions
// of this agent are under way as its mailbox has room for.
func (a *Agent) Ask(ctx context.Context, id, action string, params, about any) error {
	if err := a.beginQuestion(); err != nil {
		return newActionError(id, action, notBegun{err})
	}
	asked := &ownAnswer{Asked: Asked{Answer: Answer{Agent: id}, Action: action, About: about}, values: a.system.options.propagated(ctx)}
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

// beginQuestion counts a question under way, or says why there can be none.
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

// withAllValues returns a context that ends with the agent's life and has the values of
// another one, which its own callbacks may have been given.
func (a *Agent) withAllValues(ctx context.Context) context.Context {
	if ctx == context.Background() {
		return a.Context()
	}
	return withValues(a.Context(), context.WithoutCancel(ctx))
}

// An ownAnswer is the message that brings an agent the answer to its question, with the
// values that it asked with.
type ownAnswer struct {
	Asked
	values context.Context
}

// handleAnswer gives the answer to a question to a behaviour, if that wants it.
func handleAnswer(ctx context.Context, b Behaviour, self *Agent, answer Asked) {
	if h, ok := b.(AnswerHandler); ok {
		h.HandleAnswer(ctx, self, answer)
		return
	}
	self.system.deadLetter(DeadLetter{Kind: "answer", Name: answer.Action, To: self.ID(), Reason: DeadUnwanted})
}

// deadlineOf is when a question has to be answered.
func deadlineOf(ctx context.Context) time.Time {
	if deadline, has := ctx.Deadline(); has {
		return deadline
	}
	return time.Now().Add(messageTimeout)
}

// A Future is the answer to a question, when it is there.
type Future struct {
	asked *Agent
	done  chan struct{}
	value any
	err   error

	mu    sync.Mutex
	waits []*wait // of the agents that wait for it
}

// Ask asks an agent to carry out an action, and returns at once. The answer, or an
// *ActionError that says why there is none, is in the future when that is done: at the
// latest when ctx ends, or after 5 s if it has no deadline.
func (s *System) Ask(ctx context.Context, id, action string, params any) *Future {
	f := &Future{asked: s.registry.agent(id), done: make(chan struct{})}
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

// Done is closed when the answer is there.
func (f *Future) Done() <-chan struct{} { return f.done }

// Await waits for the answer, until ctx ends. With the context of a callback that the
// asked agent waits for, directly or by way of more, it fails at once with a
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
			return nil, CallError(ctx)
		}
	}
	return f.value, f.err
}

// waitOf notes that an agent waits for the answer, if it is not there.
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

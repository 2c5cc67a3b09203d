package mabeam

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"mabeam-top/internal/runtime/guard"
)

// Options say how a system is started. The zero value is usable.
type Options struct {
	// Node is the name of the system in the registry's index by node; empty
	// means "local".
	Node string
	// MaxAgents is the limit on live agents; 0 means none. At the limit a new
	// agent is refused with ErrLimitReached. A supervisor's child counts between its
	// lives too, so that its restart is never refused, and a callback that goes on after
	// its agent's end counts until it returns.
	MaxAgents int
	// MemoryLimit is the limit, in bytes, on the memory of the objects on the
	// heap; 0 means none. It is that of the whole process, other systems and
	// all else included, and counts what died since the last collection too.
	// At the limit a new agent is refused with ErrLimitReached; what runs goes
	// on, and may well use more. Before it refuses, StartAgent collects the
	// heap, and waits for that, unless it has just done so: at most ten times a
	// second, and no more than a fifth of the time. So there is room again
	// within that pause after memory was let go. The memory is read at most
	// once a millisecond; the agents that start in between go by one reading.
	MemoryLimit int64
	// Mailbox is the capacity of each agent's mailbox in messages; 0 means
	// 1,024.
	Mailbox int
	// WaitTimeout is how long those wait whose context has no deadline, before
	// they get ErrTimeout: a caller for the agent to take its call up (the action may
	// then take as long as it takes), Tell for room in the mailbox, Publish for room in
	// subscribers' queues, Tell and Publish for their turn if there is a rate, and
	// StopAgent and RestartAgent for their agent. Publish in an agent's callback waits for
	// room no longer even with a deadline. So no ring of agents waits for ever. It is
	// also the time that Terminate has after a panic, and that the system has to stop for
	// OnRootFailure. 0 means 5 s.
	WaitTimeout time.Duration
	// Rates are the rates of operations: those of the runtime, such as
	// OperationAction, and the users' own. One that is not named has none.
	Rates map[guard.Operation]guard.Rate
	// Breaker makes Execute guard each agent with a circuit of its id: after a
	// number of failures in a row, calls fail at once with ErrCircuitOpen for a
	// while. Failures are those of an agent that does not work: the caller's
	// deadline, a full mailbox, a panic, and that the agent is unknown, stops
	// or has ended. That an action returns an error, or is unknown, is none,
	// nor is a caller who gives up. An agent that is started under the id of
	// another one has its circuit. Tell is not guarded: it does not learn what
	// becomes of its action. The changes of circuits are published as
	// circuit_breaker events. Nil guards nothing.
	Breaker *guard.BreakerOptions
	// BusPolicy is what the bus does for a subscriber whose queue is full, unless its
	// SubscribeOptions say otherwise; the zero value is Block.
	BusPolicy QueuePolicy
	// BusQueue is the length of a subscription's queue in events; 0 means
	// 1,024.
	BusQueue int
	// History is how many of the newest events are kept; 0 means 1,000, and a
	// negative number turns history off.
	History int
	// Around is called around each callback of each agent; nil is nobody. The callback of
	// an action that somebody has asked for, by Execute, Request, Ask or a coordination, has the
	// values of the caller's context. For all that nobody waits for, see Propagate.
	Around Interceptor
	// Propagate picks the values of a context that go along with what is sent with it and
	// not waited for: actions of Tell and of timers, events, signals, messages of Send, and
	// the answers to Agent.Ask. The contexts of the callbacks and handlers that these reach
	// have them. It returns nil if there is nothing to pick. What it returns is kept as
	// long as what is sent, so it is best made of context.Background, with a trace id,
	// say: with the whole of ctx, an agent that goes on to tell itself something would
	// keep the contexts of all its callbacks. It is called on the sender's
	// goroutine, for each action, event and so on. Nil picks nothing, and costs nothing; what is
	// picked costs one allocation.
	Propagate func(ctx context.Context) context.Context
	// Logger gets what the runtime itself does that a person may want to know of:
	// callbacks and handlers of the bus that panic, with their stacks, supervisors that
	// give up, agents that are refused or do not start, callbacks that do not heed their
	// agent's end. Each is logged once. Nil is nobody.
	Logger *slog.Logger
	// OnRootFailure is what the system does when a supervisor gives up that has none
	// above it.
	OnRootFailure RootFailure
	// OnStart is called before each component starts, with its name; an error
	// makes the start of that component fail, and so does a panic. It is how a
	// fault is injected. It may be called for several components at once:
	// those of one group start side by side.
	OnStart func(component string) error

	// newScheduler makes the scheduler of the system; a test may put another one there.
	newScheduler func() scheduler
}

// check says all that is wrong with the options.
func (o Options) check() error {
	errs := []error{
		atLeastZero("limit on agents", o.MaxAgents),
		atLeastZero("limit on memory", o.MemoryLimit),
		atLeastZero("capacity of mailboxes", o.Mailbox),
		atLeastZero("wait timeout", o.WaitTimeout),
		atLeastZero("queue of the bus", o.BusQueue),
		atMost("capacity of mailboxes", o.Mailbox, maxQueue),
		atMost("queue of the bus", o.BusQueue, maxQueue),
		atMost("history", o.History, maxQueue),
	}
	if _, err := newLimiter(context.Background(), o.Rates); err != nil {
		errs = append(errs, err)
	}
	if !o.BusPolicy.known() {
		errs = append(errs, fmt.Errorf("policy of the bus: there is none of number %d", int(o.BusPolicy)))
	}
	if o.Breaker != nil {
		if _, err := guard.NewBreaker(*o.Breaker); err != nil {
			errs = append(errs, fmt.Errorf("circuit breaker: %w", err))
		}
	}
	return errors.Join(errs...)
}

// maxQueue is the most that a queue or the history may hold: more than any
// machine has memory for.
const maxQueue = 1 << 30

// atMost says that a number must not be above a limit.
func atMost(name string, n, limit int) error {
	if n > limit {
		return fmt.Errorf("%s: %v, want %v or less", name, n, limit)
	}
	return nil
}

// atLeastZero says that a number must not be negative.
func atLeastZero[T ~int | ~int64](name string, n T) error {
	if n < 0 {
		return fmt.Errorf("%s: %v, want 0 or more", name, n)
	}
	return nil
}

func (o Options) withDefaults() Options {
	if o.Node == "" {
		o.Node = "local"
	}
	if o.Mailbox == 0 {
		o.Mailbox = 1024
	}
	if o.WaitTimeout == 0 {
		o.WaitTimeout = 5 * time.Second
	}
	if o.BusQueue == 0 {
		o.BusQueue = 1024
	}
	if o.History == 0 {
		o.History = 1000
	}
	if o.newScheduler == nil {
		o.newScheduler = func() scheduler { return newPool() }
	}
	return o
}

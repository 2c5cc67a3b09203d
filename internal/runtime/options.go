package mabeam

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"mabeam-top/internal/runtime/guard"

	"mabeam-top/internal/runtime/internal/scheduler"
)

// Options configure a system. The zero value is usable.
type Options struct {
	// Node is the name of the system in the registry's index by node; empty means "local".
	Node string
	// MaxAgents is the limit on live agents; 0 means no limit. At the limit a new agent is
	// refused with ErrLimitReached. A supervisor's child also counts between two lives, so
	// that its restart is never refused, and an abandoned callback counts until it returns.
	MaxAgents int
	// MemoryLimit is the limit, in bytes, on the memory of the objects on the heap; 0 means
	// no limit. It applies to the heap of the whole process, with all other systems and with
	// garbage that has not been collected yet. At the limit a new agent is refused with
	// ErrLimitReached; running agents are not affected, and may use more.
	//
	// Before StartAgent refuses, it collects the heap and waits for that, but at most ten
	// times a second and for no more than a fifth of the time. So freed memory makes room
	// after that pause at the latest. The memory is read at most once a millisecond; all
	// agents that start in between rely on one reading.
	MemoryLimit int64
	// Mailbox is the capacity of each agent's mailbox in messages; 0 means 1,024.
	Mailbox int
	// WaitTimeout is how long a caller waits whose context has no deadline, before it gets
	// ErrTimeout; 0 means 5 s. It applies to
	//
	//   - Execute and other calls, until the agent begins the action, which may then take
	//     as long as it needs;
	//   - Tell, for room in the mailbox, and Publish, for room in subscribers' queues;
	//   - Tell and Publish, for their turn if there is a rate;
	//   - StopAgent and RestartAgent.
	//
	// Publish in an agent's callback waits for room no longer than this even if its context
	// has a deadline, so that no ring of agents waits for ever. WaitTimeout is also how long
	// Terminate may take after a crash, and how long the system may take to stop because of
	// OnRootFailure.
	WaitTimeout time.Duration
	// Rates are the rates of operations: those of the runtime, such as OperationAction, and
	// those that the program defines. An operation that is not in it is not limited.
	Rates map[guard.Operation]guard.Rate
	// Breaker makes Execute guard each agent with a circuit breaker: after a number of
	// consecutive failures, calls fail at once with ErrCircuitOpen for a while. Nil means no
	// breaker.
	//
	// A call fails in this sense if the caller's deadline passes, the mailbox is full, the
	// action panics, or the agent is unknown, stopping or ended. It does not fail if the
	// action returns an error or is unknown, or if the caller gives up. The circuit belongs
	// to the id, so a new agent with the same id has the circuit of the former one. Tell is
	// not guarded, because it does not learn the result of its action. Changes of circuits
	// are published as circuit_breaker events.
	Breaker *guard.BreakerOptions
	// BusPolicy is the default for what the bus does when a subscriber's queue is full; the
	// zero value is Block. SubscribeOptions can override it.
	BusPolicy QueuePolicy
	// BusQueue is the length of a subscription's queue in events; 0 means 1,024.
	BusQueue int
	// History is how many of the newest events are kept; 0 means 1,000, and a negative
	// number means none.
	History int
	// Around is called around each callback of each agent; nil means nothing is. The context
	// of an action that somebody waits for, by Execute, Request, Ask or a coordination, has
	// the values of the caller's context. For everything else see Propagate.
	Around Interceptor
	// Propagate picks the context values that travel with what nobody waits for: actions of
	// Tell and of timers, events, signals, messages of Send, and the answers to Agent.Ask.
	// The contexts of the callbacks and handlers that these reach have the values. Propagate
	// returns nil if there is nothing to pick; a nil Propagate picks nothing, at no cost.
	//
	// It is called on the sender's goroutine for each thing sent, and costs an allocation if
	// it picks something. The returned context is kept as long as what is sent, so derive it
	// from context.Background, for example with a trace id: if it were ctx itself, an agent
	// that keeps sending itself actions would keep the contexts of all its callbacks alive.
	Propagate func(ctx context.Context) context.Context
	// Logger gets what the runtime does that a person may want to know: panics of callbacks
	// and of bus handlers, with their stacks, supervisors that give up, agents that are
	// refused or do not start, and callbacks that are still abandoned after WaitTimeout.
	// Each is logged once. Nil means no log.
	Logger *slog.Logger
	// OnRootFailure is what the system does when a supervisor gives up that has no
	// supervisor above it.
	OnRootFailure RootFailure
	// OnStart is called before each component starts, with its name. If it returns an error
	// or panics, the start of that component fails; it serves to inject faults. It may be
	// called for several components at once, because those of one group start concurrently.
	OnStart func(component string) error

	// newScheduler returns the system's scheduler; a test may set another one.
	newScheduler func() scheduler.Scheduler
}

// check returns everything that is wrong with the options.
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
	if !o.BusPolicy.Known() {
		errs = append(errs, fmt.Errorf("policy of the bus: there is none of number %d", int(o.BusPolicy)))
	}
	if o.Breaker != nil {
		if _, err := guard.NewBreaker(*o.Breaker); err != nil {
			errs = append(errs, fmt.Errorf("circuit breaker: %w", err))
		}
	}
	return errors.Join(errs...)
}

// maxQueue is the most that a queue or the history may hold; no machine has memory for more.
const maxQueue = 1 << 30

// atMost returns an error if a number is above a limit.
func atMost(name string, n, limit int) error {
	if n > limit {
		return fmt.Errorf("%s: %v, want %v or less", name, n, limit)
	}
	return nil
}

// atLeastZero returns an error if a number is negative.
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
		o.newScheduler = func() scheduler.Scheduler { return scheduler.New() }
	}
	return o
}

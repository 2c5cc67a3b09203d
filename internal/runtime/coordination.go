package mabeam

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"
)

// CoordinationTimeout is how long a coordination waits for answers when its
// context has no deadline.
const CoordinationTimeout = 5 * time.Second

// The actions that coordinations ask for. An agent that is to take part
// carries them out like any other action; one that does not know an action
// has, with ErrUnknownAction as the reason, not answered.
const (
	// ActionArrive says, by being answered, that the agent is at a barrier.
	ActionArrive = "arrive"
	// ActionRelease lets an agent that has arrived go on: all are there.
	ActionRelease = "release"
	// ActionBreak lets an agent that has arrived go on although the barrier
	// broke. Nobody waits for its answer.
	ActionBreak = "break"
	// ActionVote is answered with a ballot; nil is an abstention.
	ActionVote = "vote"
	// ActionBid is answered with a bid, a number; nil is no bid.
	ActionBid = "bid"
	// ActionStand is answered with the candidate's priority, a number; nil
	// means that the agent does not want to lead.
	ActionStand = "stand"
)

// Why a coordination did not take place, or has no use for an answer. They
// arrive wrapped: test for them with errors.Is.
var (
	// ErrBadCoordination tells that what was asked for makes no sense, and
	// that nothing was sent: no agents, one named twice, no steps, a step of
	// an agent that is not there.
	ErrBadCoordination = errors.New("bad coordination")
	// ErrDeclined is the reason of an agent that answered nil where a vote, a
	// bid or a priority was asked for.
	ErrDeclined = errors.New("declined")
	// ErrBadAnswer is the reason of an agent whose answer cannot be used.
	ErrBadAnswer = errors.New("bad answer")
)

// An Answer is what one agent said in a coordination.
type Answer struct {
	// Agent is the id of who was asked.
	Agent string
	// Value is the result of the action; nil if there is none.
	Value any
	// Err is why there is no answer, or none that could be used: an
	// *ActionError, as Execute would return it, or one that wraps ErrDeclined
	// or ErrBadAnswer. It is nil if the agent answered.
	Err error
}

// Answers are those of a coordination, in the order in which its agents were
// named: one for each.
type Answers []Answer

// Missing are the agents that did not answer, each with the reason.
func (a Answers) Missing() Answers {
	var missing Answers
	for _, answer := range a {
		if answer.Err != nil {
			missing = append(missing, answer)
		}
	}
	return missing
}

// A round is one coordination under way.
type round struct {
	system *System
	ctx    context.Context // has a deadline
	cancel context.CancelFunc
}

// begin starts a coordination of agents. It fails, before anything is sent, if
// the agents make no sense, the system is stopped or ctx has ended.
func (s *System) begin(ctx context.Context, ids []string, timeout time.Duration) (*round, error) {
	if err := checkAgents(ids); err != nil {
		return nil, err
	}
	if s.stopping.Load() {
		return nil, ErrSystemStopped
	}
	if ctx.Err() != nil {
		return nil, CallError(ctx)
	}
	r := &round{system: s}
	r.ctx, r.cancel = withPatience(ctx, timeout)
	return r, nil
}

// end counts the round. Nothing of it goes on.
func (r *round) end() {
	r.cancel()
	r.system.coordinationRounds.add(1)
}

// maxCompared is the number of ids up to which comparing each with each is
// cheaper than making a set of them.
const maxCompared = 32

// checkAgents says what is wrong with the agents named for a coordination.
func checkAgents(ids []string) error {
	if len(ids) == 0 {
		return fmt.Errorf("%w: no agents", ErrBadCoordination)
	}
	if len(ids) <= maxCompared {
		for i, id := range ids {
			for _, earlier := range ids[:i] {
				if id == earlier {
					return namedTwice(id)
				}
			}
		}
		return nil
	}
	seen := make(map[string]struct{}, len(ids))
	for i, id := range ids {
		if seen[id] = struct{}{}; len(seen) == i {
			return namedTwice(id)
		}
	}
	return nil
}

func namedTwice(id string) error {
	return fmt.Errorf("%w: agent %q is named twice", ErrBadCoordination, id)
}

// ask has all agents carry out an action, at once, and returns when each has
// answered or the round's deadline has passed. It takes no goroutine of its
// own, and leaves none: an agent that is late finds that nobody waits.
func (r *round) ask(ids []string, action string, params any) Answers {
	answers := make(Answers, len(ids))
	calls := make([]*call, len(ids)) // nil for those that could not be asked
	for i, id := range ids {
		answers[i].Agent = id
		calls[i], answers[i].Err = r.call(id, action, params)
	}
	// From the last to the first: those who were asked last mostly answer last,
	// so that the others need not be waited for one by one.
	for i := len(ids) - 1; i >= 0; i-- {
		if calls[i] != nil {
			answers[i].Value, answers[i].Err = calls[i].await()
		}
		if answers[i].Err != nil {
			answers[i].Err = newActionError(ids[i], action, answers[i].Err)
		}
	}
	return answers
}

// call puts an action into an agent's mailbox.
func (r *round) call(id, action string, params any) (*call, error) {
	a := r.system.registry.agent(id)
	if a == nil {
		return nil, ErrUnknownAgent
	}
	if err := r.system.actionRate.Allow(); err != nil {
		return nil, err
	}
	c := r.system.newCall(r.ctx, params)
	if err := c.send(a, nil, action); err != nil {
		return nil, err
	}
	return c, nil
}

// highest returns the position of the highest number among the answers, or -1
// if there is none; of two equal ones it is that of the smaller id. Answers
// that are not numbers get a reason why they do not count.
func highest(answers Answers, action string) (winner int, best float64) {
	winner = -1
	for i := range answers {
		a := &answers[i]
		if a.Err != nil {
			continue
		}
		n, err := numberOf(a.Value)
		if err != nil {
			a.Err = &ActionError{Agent: a.Agent, Action: action, Err: err}
			continue
		}
		if winner < 0 || n > best || n == best && a.Agent < answers[winner].Agent {
			winner, best = i, n
		}
	}
	return winner, best
}

// numberOf reads a number of any of Go's integer and floating-point types.
func numberOf(value any) (float64, error) {
	if value == nil {
		return 0, ErrDeclined
	}
	n, ok := toFloat(reflect.ValueOf(value))
	if !ok || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, fmt.Errorf("%w: want a number, got %v", ErrBadAnswer, value)
	}
	return n, nil
}

func toFloat(v reflect.Value) (n float64, ok bool) {
	switch {
	case v.CanInt():
		return float64(v.Int()), true
	case v.CanUint():
		return float64(v.Uint()), true
	case v.CanFloat():
		return v.Float(), true
	}
	return 0, false
}

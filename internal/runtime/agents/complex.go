package agents

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash/fnv"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/coordination"
)

// ComplexOptions say how much a complex agent holds and does.
type ComplexOptions struct {
	// Held is how many bytes the agent holds; 0 means 64 KiB.
	Held int
	// Hashed is how many bytes of these each work action reads and hashes;
	// 0 means 4 KiB.
	Hashed int
}

// Complex describes an agent that holds memory and does work per action,
// for stress scenarios.
func Complex(o ComplexOptions) mabeam.Spec {
	if o.Held <= 0 {
		o.Held = 64 << 10
	}
	if o.Hashed <= 0 {
		o.Hashed = 4 << 10
	}
	return mabeam.Spec{
		Type: "complex", Behaviour: &complexAgent{options: o},
		Capabilities: []string{"work", "hold"},
	}
}

// ComplexState is the state of a complex agent.
type ComplexState struct {
	Rounds int
	// Sum is the hash over what the work actions read so far.
	Sum [sha256.Size]byte
}

// complexAgent answers ping, work (hashes a part of what it holds), hold
// (bytes: holds that much from now on), sleep (for: a Go duration) and
// get_state. In coordinations it always answers the same, by its id alone:
//
//   - vote (choices: a list): the choice that its id falls on, so that a vote
//     among several may well end without a majority; "yes" if there are none.
//   - bid and stand (limit: a whole number, 1,000 by default): a number from 1
//     to the limit.
//   - arrive, release and break: nil, at once.
type complexAgent struct {
	mabeam.Defaults
	options ComplexOptions
	held    []byte
	at      int // where the next work starts to read
}

func (c *complexAgent) Init(_ context.Context, self *mabeam.Agent) error {
	c.hold(c.options.Held)
	self.SetState(ComplexState{})
	return nil
}

// hold makes the agent hold n bytes. Writing to each page makes sure that the
// memory is really there.
func (c *complexAgent) hold(n int) {
	c.held = make([]byte, n)
	for i := 0; i < n; i += 4096 {
		c.held[i] = byte(i >> 12)
	}
	c.at = 0
}

func (c *complexAgent) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	switch action {
	case "ping":
		return "pong", nil
	case "work":
		return c.work(self), nil
	case "hold":
		n, err := intParam(params, "bytes", c.options.Held)
		if err != nil {
			return nil, err
		}
		if n < 0 {
			return nil, fmt.Errorf("parameter %q: %d is negative", "bytes", n)
		}
		c.hold(n)
		return n, nil
	case "sleep":
		return nil, sleep(ctx, params)
	case "get_state":
		return self.State(), nil
	case coordination.ActionVote:
		return complexVote(self.ID(), params)
	case coordination.ActionBid, coordination.ActionStand:
		limit, err := intParam(params, "limit", 1000)
		if err != nil {
			return nil, err
		}
		if limit < 1 {
			return nil, fmt.Errorf("parameter %q: %d is less than 1", "limit", limit)
		}
		return 1 + share(self.ID(), limit), nil
	case coordination.ActionArrive, coordination.ActionRelease, coordination.ActionBreak:
		return nil, nil
	}
	return nil, mabeam.ErrUnknownAction
}

func complexVote(id string, params any) (any, error) {
	value, err := param(params, "choices")
	if err != nil {
		return nil, err
	}
	switch choices := value.(type) {
	case nil:
		return "yes", nil
	case []any:
		if len(choices) > 0 {
			return choices[share(id, len(choices))], nil
		}
	}
	return nil, fmt.Errorf("parameter %q: want a list that is not empty, got %v", "choices", value)
}

// share gives each id a number below n, always the same, and each number to
// about as many ids.
func share(id string, n int) int {
	hash := fnv.New32a()
	hash.Write([]byte(id))
	return int(uint64(hash.Sum32()) * uint64(n) >> 32)
}

// work hashes the next part of what the agent holds into its state.
func (c *complexAgent) work(self *mabeam.Agent) int {
	state := self.State().(ComplexState)
	hash := sha256.New()
	hash.Write(state.Sum[:])
	for left := c.options.Hashed; left > 0 && len(c.held) > 0; {
		n := min(left, len(c.held)-c.at)
		hash.Write(c.held[c.at : c.at+n])
		c.at = (c.at + n) % len(c.held)
		left -= n
	}
	hash.Sum(state.Sum[:0])
	state.Rounds++
	self.SetState(state)
	return state.Rounds
}

// sleep waits for the duration in the parameters, or until ctx ends.
func sleep(ctx context.Context, params any) error {
	value, err := param(params, "for")
	if err != nil {
		return err
	}
	d, err := time.ParseDuration(fmt.Sprint(value))
	if err != nil {
		return fmt.Errorf("parameter %q: want a duration such as 2ms, got %v", "for", value)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

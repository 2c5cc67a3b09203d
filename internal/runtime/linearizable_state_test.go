package mabeam_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/mabeamtest"
	"mabeam-top/internal/runtime/supervision"
)

// A sum is the state of an agent that adds up, in one of its lives.
type sum struct{ life, value int }

// A sumCall adds to a sum, looks at it without asking the agent, or ends its life.
type sumCall struct {
	do  string
	add int
}

// A sumOutput is what came of one.
type sumOutput struct {
	sum     sum  // after the call
	unknown bool // whether it was carried out
}

func (s sum) step(c sumCall, out sumOutput) []any {
	after := sum{s.life, s.value + c.add}
	switch {
	case c.do == "kill":
		return []any{s, sum{life: s.life + 1}} // there may be no life just then
	case out.unknown:
		return []any{s, after}
	case out.sum == after:
		return []any{after}
	}
	return nil
}

var sumModel = porcupine.NondeterministicModel{
	Init: func() []any { return []any{sum{life: 1}} },
	Step: func(state, input, output any) []any {
		return state.(sum).step(input.(sumCall), output.(sumOutput))
	},
}

// adding is the behaviour of the agent. It takes its time before and after it replaces its
// state.
func adding(random *rand.Rand) *mabeamtest.Script {
	return &mabeamtest.Script{OnAction: func(_ context.Context, self *mabeam.Agent, _ string, params any) (any, error) {
		after := self.State().(sum)
		after.value += params.(int)
		time.Sleep(time.Duration(random.IntN(2)) * time.Millisecond)
		self.SetState(after)
		time.Sleep(time.Duration(random.IntN(2)) * time.Millisecond)
		return after, nil
	}}
}

// A sumClient is one of those who use the agent.
type sumClient struct {
	number int
	s      *mabeam.System
	h      *operations
	random *rand.Rand
}

// do uses the agent in one way or another, and notes what is known of that.
func (c *sumClient) do() {
	switch c.random.IntN(8) {
	case 0:
		c.h.note(c.number, sumCall{do: "kill"}, func() any {
			c.s.KillAgent("sum")
			return sumOutput{}
		})
	case 1, 2, 3:
		c.look()
	default:
		c.add()
	}
}

// look reads the agent's state from outside.
func (c *sumClient) look() {
	began := c.h.clock.Add(1)
	info, err := c.s.Agent("sum")
	returned := c.h.clock.Add(1)
	time.Sleep(time.Millisecond)
	if err != nil { // there is no life just then
		return
	}
	c.h.add(porcupine.Operation{
		ClientId: c.number, Input: sumCall{do: "look"}, Call: began, Output: sumOutput{sum: info.State.(sum)}, Return: returned,
	})
}

// add has the agent add something.
func (c *sumClient) add() {
	call := sumCall{do: "add", add: c.random.IntN(3)}
	ctx, cancel := context.Background(), func() {}
	if c.random.IntN(2) == 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(1+c.random.IntN(4))*time.Millisecond)
	}
	defer cancel()
	began := c.h.clock.Add(1)
	result, err := c.s.Execute(ctx, "sum", "add", call.add)
	op := porcupine.Operation{ClientId: c.number, Input: call, Call: began, Return: c.h.clock.Add(1)}
	var failed *mabeam.ActionError
	switch {
	case err == nil:
		op.Output = sumOutput{sum: result.(sum)}
	case errors.As(err, &failed) && failed.NotBegun:
		time.Sleep(time.Millisecond) // the next life may be on its way
		return
	case errors.Is(err, mabeam.ErrTimeout): // it may be carried out later on
		op.Output, op.Return = sumOutput{unknown: true}, math.MaxInt64
	default: // it was begun by the life that has ended, and is of no consequence afterwards
		op.Output = sumOutput{unknown: true}
	}
	c.h.add(op)
}

// Several call an agent at once, some of them with too little time, while it is killed and
// begins a further life: each call that was answered took place at one moment, once, in one
// life, and each that was not did so at most once.
func TestStateIsLinearizable(t *testing.T) {
	// More than there may be, so that each may be interrupted anywhere.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	for seed := range uint64(20) {
		var h operations
		synctest.Test(t, func(t *testing.T) { useSum(t, &h, seed) })
		if err := h.check(sumModel); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// useSum has clients use an agent that lives again and again.
func useSum(t *testing.T, h *operations, seed uint64) {
	s := mabeamtest.Start(t, mabeam.Options{History: -1})
	lives := 0
	_, err := supervision.Start(t.Context(), s, supervision.Spec{
		Intensity: &supervision.Intensity{Restarts: math.MaxInt}, Children: []supervision.Child{{ID: "sum", New: func() mabeam.Spec {
			lives++
			return mabeam.Spec{State: sum{life: lives}, Behaviour: adding(rand.New(rand.NewPCG(seed, uint64(lives))))}
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	for number := range 4 {
		c := sumClient{number: number, s: s, h: h, random: rand.New(rand.NewPCG(seed, uint64(number)+1<<32))}
		clients.Go(func() {
			for range 40 {
				c.do()
			}
		})
	}
	clients.Wait()
	synctest.Wait()
	if lives < 2 {
		t.Errorf("there was only %d", lives)
	}
}

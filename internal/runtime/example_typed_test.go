package mabeam_test

import (
	"context"
	"errors"
	"fmt"
	"slices"

	mabeam "mabeam-top/internal/runtime"
)

// Account is the state of an account agent.
type Account struct{ Balance int }

// errOverdrawn says that there is not enough on an account.
var errOverdrawn = errors.New("overdrawn")

// account has the actions of all account agents. No handler needs a type assertion.
var account = mabeam.NewActions(
	mabeam.Handle("deposit", func(_ context.Context, self *mabeam.Agent, amount int) (Account, error) {
		a := mabeam.StateOf[Account](self)
		if a.Balance+amount < 0 {
			return a, errOverdrawn
		}
		a.Balance += amount
		self.SetState(a)
		return a, nil
	}),
	mabeam.Handle("balance", func(_ context.Context, self *mabeam.Agent, _ struct{}) (int, error) {
		return mabeam.StateOf[Account](self).Balance, nil
	}),
)

// A table of typed actions is a behaviour.
func ExampleNewActions() {
	ctx := context.Background()
	system := start(mabeam.Options{})
	defer system.Stop(ctx)
	system.StartAgent(ctx, mabeam.Spec{ID: "ada", Behaviour: account})

	fmt.Println(system.Execute(ctx, "ada", "deposit", 5))
	fmt.Println(system.Execute(ctx, "ada", "balance", nil))
	_, err := system.Execute(ctx, "ada", "deposit", "a lot")
	fmt.Println(err)
	_, err = system.Execute(ctx, "ada", "deposit", -6)
	fmt.Println(errors.Is(err, errOverdrawn))
	// Output:
	// {5} <nil>
	// 5 <nil>
	// action "deposit" of agent "ada": parameters: want int, got string
	// true
}

// A result has the type that its caller names, or there is an error.
func ExampleCall() {
	ctx := context.Background()
	system := start(mabeam.Options{})
	defer system.Stop(ctx)
	system.StartAgent(ctx, mabeam.Spec{ID: "ada", Behaviour: account, State: Account{Balance: 3}})

	balance, err := mabeam.Call[int](ctx, system, "ada", "balance", nil)
	fmt.Println(balance+1, err)
	_, err = mabeam.Call[string](ctx, system, "ada", "balance", nil)
	fmt.Println(err)
	// Output:
	// 4 <nil>
	// action "balance" of agent "ada": result: want string, got int
}

// An auditor embeds a table, and has a callback of its own besides.
type auditor struct{ *mabeam.Actions }

func (auditor) Init(_ context.Context, self *mabeam.Agent) error {
	self.SetState([]string{"began"})
	return nil
}

// A behaviour that embeds a table writes only the callbacks that it needs.
func ExampleHandle() {
	ctx := context.Background()
	system := start(mabeam.Options{})
	defer system.Stop(ctx)
	actions := mabeam.NewActions(
		mabeam.Handle("note", func(_ context.Context, self *mabeam.Agent, line string) (any, error) {
			self.SetState(slices.Concat(mabeam.StateOf[[]string](self), []string{line}))
			return nil, nil
		}),
		mabeam.Handle("lines", func(_ context.Context, self *mabeam.Agent, _ struct{}) ([]string, error) {
			return mabeam.StateOf[[]string](self), nil
		}),
	)
	system.StartAgent(ctx, mabeam.Spec{ID: "auditor", Behaviour: auditor{actions}})

	system.Execute(ctx, "auditor", "note", "checked")
	lines, err := mabeam.Call[[]string](ctx, system, "auditor", "lines", nil)
	fmt.Println(lines, err)
	// Output: [began checked] <nil>
}

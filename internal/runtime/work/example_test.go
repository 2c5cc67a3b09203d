package work_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/work"
)

// A cook joins the kitchen, and answers who has cooked what.
type cook struct{ mabeam.Defaults }

func (cook) Init(_ context.Context, self *mabeam.Agent) error { return self.Join("kitchen") }

func (cook) HandleAction(_ context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	return fmt.Sprintf("%s by %s: %v", action, self.ID(), params), nil
}

func kitchen(cooks ...string) *mabeam.System {
	system, err := mabeam.Start(context.Background(), mabeam.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, id := range cooks {
		if _, err := system.StartAgent(context.Background(), mabeam.Spec{ID: id, Behaviour: cook{}}); err != nil {
			log.Fatal(err)
		}
	}
	return system
}

// Jobs go to the members in turn, whoever they are.
func ExamplePool() {
	ctx := context.Background()
	system := kitchen("ada", "bob")
	defer system.Stop(ctx)
	pool := work.NewPool(system, "kitchen", work.Options{HandOutAgain: true})

	fmt.Println(pool.Do(ctx, "boil", "rice"))
	fmt.Println(pool.Do(ctx, "fry", "an egg"))
	system.KillAgent("ada")
	fmt.Println(pool.Do(ctx, "bake", "bread"))
	system.KillAgent("bob")
	_, err := pool.Do(ctx, "roast", "nuts")
	fmt.Println(errors.Is(err, work.ErrNoMember), err)
	// Output:
	// boil by ada: rice <nil>
	// fry by bob: an egg <nil>
	// bake by bob: bread <nil>
	// true hand out "roast" in group "kitchen": no member
}

// All orders of one table go to the same cook, as long as there is that one.
func ExampleByKey() {
	ctx := context.Background()
	system := kitchen("ada", "bob", "eve")
	defer system.Stop(ctx)
	type order struct{ table, dish string }
	pool := work.NewPool(system, "kitchen", work.Options{
		Strategy: work.ByKey(func(job work.Job) string { return job.Params.(order).table }),
	})

	first, _ := pool.Do(ctx, "cook", order{"window", "soup"})
	system.StartAgent(ctx, mabeam.Spec{ID: "joe", Behaviour: cook{}})
	fmt.Println(first)
	fmt.Println(pool.Do(ctx, "cook", order{"window", "fish"}))
	fmt.Println(pool.Do(ctx, "cook", order{"corner", "soup"}))
	// Output:
	// cook by eve: {window soup}
	// cook by eve: {window fish} <nil>
	// cook by bob: {corner soup} <nil>
}

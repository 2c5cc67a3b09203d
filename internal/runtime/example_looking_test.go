package mabeam_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	mabeam "mabeam-top/internal/runtime"
)

// A trace id that the sender's context has is in that of the interceptor around what the
// receiver does, although nobody waits for it.
func ExampleOptions_propagate() {
	type traceID struct{}
	ctx := context.WithValue(context.Background(), traceID{}, "4711")
	system := start(mabeam.Options{
		Propagate: func(ctx context.Context) context.Context {
			if id := ctx.Value(traceID{}); id != nil {
				return context.WithValue(context.Background(), traceID{}, id)
			}
			return nil
		},
		Around: func(ctx context.Context, c mabeam.Callback, next func(context.Context) error) error {
			if c.Kind == mabeam.ActionCallback {
				fmt.Println(c.Agent.ID(), c.Name, "for", ctx.Value(traceID{}))
			}
			return next(ctx)
		},
	})
	system.StartAgent(ctx, mabeam.Spec{ID: "sum", Behaviour: counter{}, State: 0})

	system.Tell(ctx, "sum", "add", 1)
	system.Stop(ctx) // after the work that was accepted
	// Output: sum add for 4711
}

// While an inspector is open, times are taken by agent type.
func ExampleInspector_Types() {
	ctx := context.Background()
	system := start(mabeam.Options{})
	defer system.Stop(ctx)
	system.StartAgent(ctx, mabeam.Spec{ID: "sum", Type: "counter", Behaviour: counter{}, State: 0})

	inspector := system.Inspect()
	defer inspector.Close()
	for n := range 3 {
		system.Execute(ctx, "sum", "add", n)
	}
	types, _ := inspector.Types()
	for _, t := range types {
		fmt.Println(t.Type, "handled", t.Handled, "failed", t.Failed)
		fmt.Println(t.AtWork.Quantile(0.99) <= t.AtWork.Max)
	}
	// Output:
	// counter handled 3 failed 0
	// true
}

// The runtime tells a logger of what a person may want to know.
func ExampleOptions_logger() {
	ctx := context.Background()
	system := start(mabeam.Options{MaxAgents: 1, Logger: slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{} // else the example would be another one each time
			}
			return a
		},
	}))})
	defer system.Stop(ctx)

	for _, id := range []string{"ada", "ben"} {
		system.StartAgent(ctx, mabeam.Spec{ID: id, Behaviour: counter{}})
	}
	// Output: level=WARN msg="agent refused" agent=ben error="limit reached: agents: 1 of 1" node=local
}

package mabeam

import (
	"context"
	"errors"
	"testing"
)

// A reference to no agent answers as one to an unknown agent does.
func TestZeroRef(t *testing.T) {
	var r Ref
	ctx := context.Background()
	_, executed := r.Execute(ctx, "x", nil)
	_, waited := WaitFor(ctx, r)
	for what, err := range map[string]error{
		"Err": r.Err(), "Execute": executed, "Tell": r.Tell(ctx, "x", nil), "Stop": r.Stop(ctx), "WaitFor": waited,
	} {
		if !errors.Is(err, ErrUnknownAgent) {
			t.Errorf("%s: %v, want %v", what, err, ErrUnknownAgent)
		}
	}
	var failed *ActionError
	if !errors.As(executed, &failed) || *failed != (ActionError{Action: "x", Err: ErrUnknownAgent, NotBegun: true}) {
		t.Errorf("Execute: %#v", executed)
	}
	if r.ID() != "" || r.Waiting() != 0 {
		t.Errorf("its id is %q, and %d wait", r.ID(), r.Waiting())
	}
	select {
	case <-r.Done():
	default:
		t.Error("it is not done")
	}
	r.Kill()
}

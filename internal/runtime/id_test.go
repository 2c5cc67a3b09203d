package mabeam

import (
	"errors"
	"runtime"
	"slices"
	"testing"
)

func endGoroutine() { runtime.Goexit() }

// mustBeDeadlock checks that an error tells of a ring of agents.
func mustBeDeadlock(t testing.TB, err error, ring ...string) {
	t.Helper()
	var deadlock *DeadlockError
	if !errors.As(err, &deadlock) || !slices.Equal(deadlock.Ring, ring) {
		t.Errorf("%v, want a deadlock of %v", err, ring)
	}
}

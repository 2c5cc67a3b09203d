package mabeamtest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	mabeam "mabeam-top/internal/runtime"
)

// An ending test ends when the test of this file says so, and keeps why it failed.
type ending struct {
	testing.TB
	cleanups []func()
	failure  string
}

func (e *ending) Helper() {}

func (e *ending) Cleanup(f func()) { e.cleanups = append(e.cleanups, f) }

func (e *ending) Errorf(format string, args ...any) { e.failure = fmt.Sprintf(format, args...) }

// A test whose listener has lost events fails when it ends.
func TestListenerThatLosesEvents(t *testing.T) {
	s := Start(t, mabeam.Options{BusQueue: 1, WaitTimeout: time.Millisecond})
	e := &ending{TB: t}
	l := Listen(e, s, "x")
	l.events.mu.Lock() // so that the listener cannot record what it takes up
	for range 100 {
		var missed *mabeam.MissedError
		if errors.As(s.Bus().Publish(t.Context(), mabeam.Event{Type: "x"}), &missed) {
			break // its queue is full
		}
	}
	l.events.mu.Unlock()
	for _, f := range e.cleanups {
		f()
	}
	if e.failure == "" {
		t.Error("the test did not fail")
	}
}

package mabeamtest_test

import (
	"strings"
	"testing"
	"testing/synctest"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/mabeamtest"
)

// A listener has all events that match from Listen on, and no others.
func TestListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		mabeamtest.StartAgent(t, s, mabeam.Spec{ID: "before", Behaviour: &mabeamtest.Probe{}})
		starts := mabeamtest.Listen(t, s, mabeam.EventAgentStarted)
		for _, id := range []string{"a", "b", "c"} {
			mabeamtest.StartAgent(t, s, mabeam.Spec{ID: id, Behaviour: &mabeamtest.Probe{}})
		}
		if err := s.Bus().Publish(t.Context(), mabeam.Event{Type: "other"}); err != nil {
			t.Fatal(err)
		}
		if e := starts.Next(t, func(e mabeam.Event) bool { return e.Source == "b" }); e.Source != "b" {
			t.Errorf("next was %v", e)
		}
		synctest.Wait()
		var rest []string
		for _, e := range starts.Rest() {
			rest = append(rest, e.Source)
		}
		if got := strings.Join(rest, " "); got != "a c" {
			t.Errorf("the rest is of %s", got)
		}
	})
}

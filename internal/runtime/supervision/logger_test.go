package supervision

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/mabeamtest"
)

// A supervisor's giving up, and what led to it, is told once each.
func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			switch a.Key {
			case slog.TimeKey:
				return slog.Attr{}
			case "stack":
				return slog.Bool("stack", strings.Contains(a.Value.String(), "logger_test.go"))
			}
			return a
		}}))
		s := mabeamtest.Start(t, mabeam.Options{Logger: logger, Node: "n", OnRootFailure: mabeam.StopSystem})
		lives := 0
		v := startSupervisor(t, s, Spec{ID: "v", Intensity: &Intensity{Restarts: 1}, Children: []Child{{ID: "a", New: func() mabeam.Spec {
			if lives++; lives > 1 {
				panic("on purpose")
			}
			return plainChild("a", Permanent).New()
		}}}})
		s.KillAgent("a")
		<-v.Done()
		<-s.Done()
		const want = `level=ERROR msg="child's spec could not be made" node=n supervisor=v agent=a error="new: panic: on purpose" stack=true
level=ERROR msg="supervisor gave up" node=n supervisor=v error="supervisor \"v\": supervisor gave up after 1 restarts within 1m0s, now of \"a\": new: panic: on purpose"
level=ERROR msg="system stops because a supervisor gave up" supervisor=v node=n`
		if got := strings.TrimSpace(text.String()); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

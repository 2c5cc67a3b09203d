package plain

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/session"
	"mabeam-top/internal/ui/uitest"
)

// A run is reported and steered by lines, and nothing is drawn.
func TestRun(t *testing.T) {
	const second = time.Second
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		commands := &uitest.Commands{}
		cfg := session.Config{
			Runner: uitest.Runner{Source: uitest.Steered{Source: uitest.Source{}, Commands: commands}},
			Faults: []session.FaultKind{{Name: "kill_agents", Doc: "Kills agents.", Example: "kill_agents: 10"}},
			CheckFault: func(text string) error {
				if !strings.Contains(text, ": ") {
					return errors.New("expected KIND: HOW OFTEN")
				}
				return nil
			},
		}
		r, out, err := play(ctx, t, cfg, map[time.Duration]string{
			1 * second: "list storm\n", 2 * second: "about event-storm\nset event-storm storm.rate=9\nset event-storm storm.rate=9000/s\n",
			3 * second: "status\nexport x.json\nsteps\nr\n",
			4 * second: "run event-storm\n", 9 * second: "every 10\n", 15 * second: "\n",
			16 * second: "pause\n", 17 * second: "resume\n", 18 * second: "rate 120%\nrate 9999\n",
			19 * second: "fault\nfault kill\nfault kill_agents: 10\n", 20 * second: "agents rate\n", 21 * second: "bus\n", 22 * second: "inspect a_0007\ninspect nobody\n",
			23 * second: "verdicts\nrun event-storm\n",
			47 * second: "baseline x\nhelp\nquit\n",
		})
		if err != nil || r == nil || r.Verdict != report.Fail {
			t.Errorf("report %+v, %v", r, err)
		}
		want := []stream.Command{
			{Do: stream.SetPaused, Paused: true},
			{Do: stream.SetPaused},
			{Do: stream.SetRate, Rate: 1.2},
			{Do: stream.InjectFault, Fault: "kill_agents: 10"},
		}
		if got := commands.Steering(); !reflect.DeepEqual(got, want) {
			t.Errorf("asked for %+v, want %+v", got, want)
		}
		if strings.ContainsAny(out, "\x1b\r") {
			t.Error("something was drawn")
		}
		uitest.Golden(t, "plain", strings.TrimSuffix(out, "\n"))
		cancel()
		time.Sleep(time.Second)
	})
}

// Reports can be saved, compared, exported and opened again.
func TestPast(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct {
		name  string
		lines string
		shown []string
	}{
		{"a baseline and a comparison", "baseline v1\ncompare v1\ncompare nothing\n", []string{"Saved as baseline v1.", "SAME", "Error: "}},
		{"an export", "export " + filepath.Join(dir, "r.json") + "\nexport r\nexport " + filepath.Join(dir, "r.json") + "\n", []string{"Exported the report to " + dir, "must end in one of", "exists already"}},
		{"the same again", "rerun\nstop\n", []string{"Running event-storm", "INTERRUPTED"}},
		{"past runs", "open 1\npast\nopen 1\nreplay 1\nopen 99\n", []string{"the list is empty", "1. ", "has no recording", "expected a number from 1 to"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				store := report.Store{Dir: t.TempDir()}
				if _, err := store.Save(*uitest.FinalReport()); err != nil {
					t.Fatal(err)
				}
				cfg := session.Config{
					Runner: uitest.Runner{Source: uitest.Source{}}, Store: &store, Start: []string{"event-storm"},
					Compare: func(now, _ report.Report, name string, _ bool) (report.Report, error) {
						now.Regression = &report.Regression{Baseline: name, Metrics: []report.RegressionMetric{{Metric: "rate", Verdict: report.Same}}}
						return now, nil
					},
				}
				_, out, err := play(ctx, t, cfg, map[time.Duration]string{45 * time.Second: test.lines, 60 * time.Second: "quit\n"})
				if err != nil {
					t.Error(err)
				}
				for _, want := range test.shown {
					if !strings.Contains(out, want) {
						t.Errorf("%q is not in\n%s", want, out)
					}
				}
				cancel()
				time.Sleep(time.Second)
			})
		})
	}
	if _, err := report.Load(filepath.Join(dir, "r.json")); err != nil {
		t.Error(err)
	}
}

// After the end of the input, a signal or a broken run, there is a report of what
// was measured.
func TestEnds(t *testing.T) {
	cause := errors.New("terminated")
	for _, test := range []struct {
		name   string
		source uitest.Source
		keys   map[time.Duration]string
		stop   time.Duration
		err    error
		shown  string
	}{
		{"quit", uitest.Source{}, map[time.Duration]string{5 * time.Second: "quit\n"}, 0, nil, "INTERRUPTED"},
		{"a signal", uitest.Source{}, nil, 5 * time.Second, cause, "INTERRUPTED"},
		{"a child that died", uitest.Source{DieAt: 3}, map[time.Duration]string{5 * time.Second: "quit\n"}, 0, uitest.ErrChildDied, "The run broke off: run event-storm: the child process died"},
		{"a signal at the menu", uitest.Source{}, map[time.Duration]string{5 * time.Second: "stop\n"}, 8 * time.Second, cause, "INTERRUPTED"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				if test.stop > 0 {
					time.AfterFunc(test.stop, func() { cancel(cause) })
				}
				cfg := session.Config{ASCII: true, Runner: uitest.Runner{Source: test.source}, Start: []string{"event-storm"}}
				r, out, err := play(ctx, t, cfg, test.keys)
				if !errors.Is(err, test.err) || test.err == nil && err != nil {
					t.Errorf("error %v, want %v", err, test.err)
				}
				if r == nil {
					t.Error("no report")
				}
				if !strings.Contains(out, test.shown) {
					t.Errorf("%q is not in\n%s", test.shown, out)
				}
				for _, c := range out {
					if c > 0x7e {
						t.Errorf("%q is not ASCII", c)
						break
					}
				}
				cancel(nil)
				time.Sleep(time.Second)
			})
		})
	}
}

// play runs the program in a bubble: lines are typed at their times.
func play(ctx context.Context, t *testing.T, cfg session.Config, lines map[time.Duration]string) (*report.Report, string, error) {
	t.Helper()
	in, typist := io.Pipe()
	var out bytes.Buffer
	go uitest.Type(ctx, typist, lines)
	cfg.Scenarios, cfg.Input, cfg.Output = uitest.Scenarios(), in, &out
	var last *session.Run
	err := Run(ctx, cfg, func(r *session.Run) {
		if last != nil {
			last.Wait()
		}
		last = r
		r.Start(ctx)
	})
	_ = typist.Close()
	_ = in.Close()
	if last == nil {
		return nil, out.String(), err
	}
	outcome := last.Wait()
	return outcome.Report, out.String(), errors.Join(err, outcome.Err)
}

func TestReadLines(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	lines, end, err := readLines(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteString("one\ntwo\n"); err != nil {
		t.Fatal(err)
	}
	if got := <-lines; got != "one" {
		t.Errorf("got %q", got)
	}
	end() // while a line waits, and nothing more comes
	if _, ok := <-lines; ok {
		t.Error("a line came after the end")
	}
}

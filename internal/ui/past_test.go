package ui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/report/format"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/session"
	"mabeam-top/internal/ui/uitest"
)

// pastStore has four runs: three of the event storm, each slower than the one
// before, and one of another scenario. The newest has a recording. There is also a
// recording without a report.
func pastStore(t *testing.T) *report.Store {
	t.Helper()
	store := &report.Store{Dir: filepath.Join(t.TempDir(), "runs")}
	for i, rate := range []float64{19800, 18800, 15800} {
		r := uitest.FinalReport()
		r.ID = fmt.Sprintf("storm%d", i)
		r.StartedAt = r.StartedAt.Add(time.Duration(i) * time.Hour)
		r.Scenarios[0].StartedAt = r.StartedAt
		m := r.Scenarios[0].Steps[1].Metrics["sustained_event_rate"]
		m.Value, m.Samples = rate, []float64{rate - 100, rate, rate, rate + 100}
		r.Scenarios[0].Steps[1].Metrics["sustained_event_rate"] = m
		r.Scenarios[0].Steps[1].Params = map[string]any{"rate": "20000/s", "duration": "5s", "subscribers": 50.0, "policy": "block"}
		keep(t, store, r)
	}
	other := uitest.FinalReport()
	other.ID, other.Verdict, other.Score, other.Grade = "other", report.Pass, 1, report.Excellent
	other.StartedAt = other.StartedAt.Add(90 * time.Minute)
	other.Scenarios = other.Scenarios[:1]
	other.Scenarios[0].Name, other.Scenarios[0].Title, other.Scenarios[0].Steps = "agent-creation", "Agent creation", other.Scenarios[0].Steps[:1]
	keep(t, store, other)
	record(t, store, "storm2", uitest.FinalReport().StartedAt.Add(2*time.Hour), uitest.Script())
	record(t, store, "died", uitest.FinalReport().StartedAt.Add(3*time.Hour), uitest.Script()[:200])
	return store
}

func keep(t *testing.T, store *report.Store, r *report.Report) {
	t.Helper()
	if _, err := store.Save(*r); err != nil {
		t.Fatal(err)
	}
}

func record(t *testing.T, store *report.Store, id string, at time.Time, events []stream.Event) {
	t.Helper()
	file, err := store.CreateRecording(at, id)
	if err != nil {
		t.Fatal(err)
	}
	w := stream.NewWriter(file)
	for _, e := range events {
		w.Emit(context.Background(), e)
		w.Flush(context.Background()) // a full queue would drop samples
	}
	if err := errors.Join(w.Close(), file.Commit()); err != nil {
		t.Fatal(err)
	}
}

// fakeCompare compares one metric, and refuses runs of other scenarios unless
// it is forced.
func fakeCompare(now, before report.Report, name string, force bool) (report.Report, error) {
	if now.Scenarios[0].Name != before.Scenarios[0].Name && !force {
		return now, fmt.Errorf("%w: they are of other scenarios", session.ErrDifferent)
	}
	now.Regression = &report.Regression{Baseline: name, Threshold: 0.1, Alpha: 0.05, Detected: true, Percentage: 20.2, Metrics: []report.RegressionMetric{
		{Scenario: "event-storm", Step: "storm", Metric: "stability_score", Old: new(0.99), New: new(0.99), DeltaPercent: new(0.0), PValue: new(1.0), Verdict: "same"},
		{Scenario: "event-storm", Step: "storm", Metric: "sustained_event_rate", Old: new(19800.0), New: new(15800.0), DeltaPercent: new(-20.2), PValue: new(0.0004), Verdict: "regressed"},
		{Scenario: "event-storm", Step: "storm", Metric: "burst_event_rate", Old: new(17800.0), New: new(21000.0), DeltaPercent: new(18.0), Verdict: "improved", Note: "too few samples for significance"},
		{Scenario: "event-storm", Step: "throughput", Metric: "deliveries_per_second", New: new(149500.0), Verdict: "unknown", Note: "not in the earlier report"},
	}}
	now.Recommendations = append(append([]string(nil), now.Recommendations...), "compared with "+name+": the seed differs: 42 before, 43 now")
	return now, nil
}

// pastStage is the UI with past runs, on the report of a run that just ended.
func pastStage(t *testing.T, width, height int) *stage {
	t.Helper()
	st := newStage(t, Config{Store: pastStore(t), Compare: fakeCompare, Start: []string{"event-storm"}}).until(1000).size(width, height)
	st.end(nil)
	return st
}

// pastRuns are the stored runs, newest first.
func pastRuns(t *testing.T, st *stage) []session.Past {
	t.Helper()
	all, _, err := session.ReadPast(*st.store)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// runsStage is the same on the screen of past runs.
func runsStage(t *testing.T, width, height int) *stage {
	st := pastStage(t, width, height)
	st.act("esc", "r")
	return st
}

var goldenSizes = [][2]int{{200, 60}, {120, 40}, {80, 24}, {60, 20}, {39, 9}}

func TestPastScreens(t *testing.T) {
	for name, show := range map[string]func(t *testing.T, width, height int) *stage{
		"reportdone": pastStage,
		"runs": func(t *testing.T, width, height int) *stage {
			st := runsStage(t, width, height)
			st.act("j")
			return st
		},
		"comparison": func(t *testing.T, width, height int) *stage {
			st := runsStage(t, width, height)
			st.act("G", " ", "g", "j", " ", "c")
			return st
		},
		"form": func(t *testing.T, width, height int) *stage {
			st := newStage(t, Config{}).size(width, height)
			st.act("e", "down", "down", "down", "ctrl+u", "fast")
			return st
		},
		"export": func(t *testing.T, width, height int) *stage {
			st := pastStage(t, width, height)
			st.act("x", "j", "j")
			return st
		},
		"baseline": func(t *testing.T, width, height int) *stage {
			st := pastStage(t, width, height)
			st.act("b", "/")
			return st
		},
	} {
		for _, size := range goldenSizes {
			t.Run(fmt.Sprintf("%s-%dx%d", name, size[0], size[1]), func(t *testing.T) {
				uitest.Golden(t, filepath.Base(t.Name()), show(t, size[0], size[1]).m.View())
			})
		}
	}
	for _, size := range goldenSizes {
		t.Run(fmt.Sprintf("replay-%dx%d", size[0], size[1]), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := replayStage(t, size[0], size[1])
				uitest.Golden(t, filepath.Base(t.Name()), st.m.View())
				st.leave()
			})
		})
	}
}

func TestExport(t *testing.T) {
	t.Chdir(t.TempDir())
	for i, name := range format.Names() {
		st := pastStage(t, 120, 40)
		st.act("x")
		for range i {
			st.act("j")
		}
		st.act("enter")
		st.shows(t, "Export as "+name)
		st.act("ctrl+u", "out"+format.Endings()[i], "enter")
		path, err := filepath.Abs("out" + format.Endings()[i])
		if err != nil {
			t.Fatal(err)
		}
		st.shows(t, "exported the report to "+path)
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), "sustained_event_rate") {
			t.Errorf("%s: %v, %.100s", name, err, text)
		}
	}
	// The course of the run is there for the formats that draw it.
	if text, err := os.ReadFile("out.csv"); err != nil || !strings.Contains(string(text), "probe,heap_bytes") {
		t.Errorf("no samples: %v", err)
	}
	left, err := os.ReadDir(".")
	if err != nil || len(left) != len(format.Names()) {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
}

func TestExportReplacesOnlyIfTold(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("mine.txt", []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	mine := func() string {
		text, err := os.ReadFile("mine.txt")
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	st := pastStage(t, 120, 40)
	st.act("x", "enter", "ctrl+u", "mine.txt", "enter")
	st.shows(t, "mine.txt", "Replace it?")
	st.act("n")
	if mine() != "mine" {
		t.Error("replaced though the answer was no")
	}
	st.act("x", "enter", "ctrl+u", "mine.txt", "enter", "y")
	st.shows(t, "exported the report to")
	if !strings.HasPrefix(mine(), "FAIL") {
		t.Errorf("not replaced: %.40s", mine())
	}
}

// A failed export shows the error, and asks for the name again.
func TestExportThatFails(t *testing.T) {
	t.Chdir(t.TempDir())
	st := pastStage(t, 120, 40)
	st.act("x", "enter", "ctrl+u", "no/such/folder.txt", "enter")
	st.shows(t, "no such file or directory", "Export as text", "no/such/folder.txt")
	st.act("ctrl+u", "enter")
	st.shows(t, "! enter a file name")
	st.act("ok.txt", "enter")
	st.shows(t, "exported the report to")
	st.act("x", "esc")
	if st.m.host.Dialog != nil {
		t.Error("escape does not cancel")
	}
}

func TestSaveBaseline(t *testing.T) {
	st := pastStage(t, 120, 40)
	st.act("b")
	st.shows(t, "Save the report as baseline", "event-storm")
	st.act("ctrl+u", "last")
	st.shows(t, `"last" means the newest run`)
	st.act("enter")
	if st.m.host.Dialog == nil {
		t.Fatal("a name was taken that is none")
	}
	st.act("ctrl+u", "v1", "enter")
	st.shows(t, "saved as baseline v1; compare a run with it by --baseline v1")
	r, err := st.store.Baseline("v1")
	if err != nil || r.ID != "r1" {
		t.Errorf("the baseline is %s, %v", r.ID, err)
	}
	st.act("b", "ctrl+u", "v1")
	st.shows(t, "replaces the baseline of this name")
}

// An incomplete run cannot be a baseline.
func TestNoBaselineOfAPartialRun(t *testing.T) {
	st := newStage(t, Config{Store: pastStore(t), Start: []string{"event-storm"}}).until(12).size(120, 40)
	st.end(uitest.ErrChildDied)
	for _, a := range st.m.actions() {
		if a.Key.Short() == "save as baseline" {
			t.Error("it could be saved as a baseline")
		}
	}
}

func TestCompareReport(t *testing.T) {
	st := pastStage(t, 120, 40)
	if _, err := st.store.SaveBaseline("v1", *uitest.FinalReport()); err != nil {
		t.Fatal(err)
	}
	st.act("c")
	st.shows(t, "Compare with", "v1", "baseline", "2026-03-01 14:00:00")
	if strings.Contains(st.m.View(), "agent-creation") {
		t.Error("a run of other scenarios is offered")
	}
	st.act("g", "enter")
	st.shows(t, "REGRESSED 1 of 4 metrics worse than in v1", "< 0.001", "IMPROVED", "too few samples", "SAME")
	view := st.m.View()
	st.act("j", "k")
	if st.m.View() != view {
		t.Error("j and k do not scroll there and back")
	}
	st.act("esc")
	if st.m.current != st.m.report {
		t.Error("escape does not go back to the report")
	}
}

func TestRunAgain(t *testing.T) {
	st := newStage(t, Config{Store: pastStore(t)}).size(120, 40)
	st.act("e", "down", "down", "down", "ctrl+u", "30000/s", "enter")
	st.until(1000).end(nil)
	st.act("R")
	if st.m.current != st.m.live || len(st.orders) != 2 || fmt.Sprint(st.orders[0]) != fmt.Sprint(st.orders[1]) ||
		st.orders[1].Settings["event-storm"]["storm.rate"] != "30000/s" {
		t.Errorf("ran %v", st.orders)
	}
}

func TestRunsKeys(t *testing.T) {
	t.Run("from the menu, at the newest run of its scenario", func(t *testing.T) {
		st := newStage(t, Config{Store: pastStore(t)}).size(120, 40)
		st.act("j", "j", "r")
		st.shows(t, "▸   03-01 13:30")
		st.act("esc")
		if st.m.current != st.m.menu {
			t.Error("escape does not lead to the menu")
		}
	})
	t.Run("all that there is, the newest first", func(t *testing.T) {
		st := runsStage(t, 120, 40)
		var got []string
		for _, line := range strings.Split(st.m.View(), "\n") {
			if row := regexp.MustCompile(`03-01 (\d\d:\d\d)  (\w+) .* 0:\d\d (rec|   ) │`).FindStringSubmatch(line); row != nil {
				got = append(got, strings.TrimSpace(strings.Join(row[1:], " ")))
			}
		}
		if fmt.Sprintf("%q", got) != `["15:00 UNFINISHED rec" "14:00 FAIL rec" "13:30 PASS" "13:00 FAIL" "12:00 FAIL"]` {
			t.Errorf("there are %q", got)
		}
		st.shows(t, "5 past runs")
	})
	t.Run("filter", func(t *testing.T) {
		st := runsStage(t, 120, 40)
		st.act("/", "creation")
		st.shows(t, "1 of 5 past runs")
		st.act("enter", "esc")
		st.shows(t, "5 past runs")
		st.shows(t, "▸   03-01 13:30") // the cursor stays on its run
		st.act("/", "zzz")
		st.shows(t, "no past run matches the filter")
		st.act("esc", "g")
		st.shows(t, "5 past runs")
	})
	t.Run("a report of the store", func(t *testing.T) {
		st := runsStage(t, 120, 40)
		st.act("G", "enter")
		if st.m.current != st.m.report || st.m.report.Report().ID != "storm0" {
			t.Fatalf("shows:\n%s", st.m.View())
		}
		st.act("esc")
		if st.m.current != st.m.history {
			t.Error("escape does not go back to the past runs")
		}
		st.shows(t, "▸   03-01 12:00")
		// Only what differs from the scenario is set when it runs again.
		st.act("enter", "R")
		if got := fmt.Sprint(st.orders[len(st.orders)-1]); got != "{[event-storm] map[event-storm:map[storm.subscribers:50]]}" {
			t.Errorf("again would be %s", got)
		}
	})
	t.Run("marks", func(t *testing.T) {
		st := runsStage(t, 120, 40)
		st.act("g", "j", " ", "j", " ", "j", " ")
		st.shows(t, "2 marked: press c to compare", "◆ 03-01 13:30", "◆ 03-01 13:00")
		st.act(" ")
		st.shows(t, "1 marked")
		st.act("esc")
		if strings.Contains(st.m.View(), "◆ 03-01") {
			t.Error("escape does not unmark")
		}
	})
	t.Run("two marked are compared, the older first", func(t *testing.T) {
		st := runsStage(t, 120, 40)
		st.act("G", " ", "g", "j", " ", "c")
		st.shows(t, "Comparison  with", "before  FAIL  Event storm  2026-03-01 12:00:00", "now     FAIL  Event storm  2026-03-01 14:00:00")
		st.act("esc")
		if st.m.current != st.m.history {
			t.Error("escape does not go back")
		}
	})
	t.Run("runs that differ are compared only if forced", func(t *testing.T) {
		st := runsStage(t, 120, 40)
		st.act("G", " ", "k", "k", " ", "c")
		st.shows(t, "they are of other", "Compare anyway?")
		st.act("n")
		if st.m.current != st.m.history {
			t.Error("compared though the answer was no")
		}
		st.act("c", "y")
		if !strings.Contains(st.m.View(), "Comparison  with") {
			t.Error("not compared")
		}
	})
	t.Run("one is compared with a choice", func(t *testing.T) {
		st := runsStage(t, 120, 40)
		st.act("g", "j", "c")
		st.shows(t, "Compare with", "previous run")
		st.act("enter")
		st.shows(t, "Comparison  with", "before  FAIL  Event storm  2026-03-01 13:00:00")
	})
	t.Run("metrics", func(t *testing.T) {
		st := runsStage(t, 120, 40)
		st.act("g", "j")
		first := st.m.View()
		st.act("tab")
		second := st.m.View()
		st.act("shift+tab")
		if first == second || st.m.View() != first {
			t.Error("tab and shift+tab do not go there and back")
		}
		for !strings.Contains(st.m.View(), "sustained_event_rate  storm") {
			st.act("tab")
		}
		st.shows(t, "sustained_event_rate  storm", "3 runs", "15.8k/s")
		// The metric stays while one goes through the runs that have it.
		st.act("G")
		st.shows(t, "sustained_event_rate  storm")
	})
	t.Run("delete asks", func(t *testing.T) {
		st := runsStage(t, 120, 40)
		recording := pastRuns(t, st)[1].Recording
		st.act("g", "j", "d")
		st.shows(t, "Delete the report and the recording of event-storm, 2026-03-01")
		st.act("n")
		if _, err := os.Stat(recording); err != nil {
			t.Fatal("deleted though the answer was no")
		}
		st.act("d", "y")
		st.shows(t, "4 past runs", "deleted the report and the recording")
		if _, err := os.Stat(recording); !errors.Is(err, os.ErrNotExist) {
			t.Error("the recording is still there")
		}
		st.act("g", "d")
		st.shows(t, "Delete the recording of")
		st.act("y")
		st.shows(t, "3 past runs")
	})
	t.Run("what another process has deleted", func(t *testing.T) {
		st := runsStage(t, 120, 40)
		p := pastRuns(t, st)[1]
		if err := st.store.Delete(p.Path, p.Recording); err != nil {
			t.Fatal(err)
		}
		st.act("g", "j", "enter")
		st.shows(t, "! load report")
		st.act("p")
		st.shows(t, "! read recording: open")
	})
	t.Run("no past runs", func(t *testing.T) {
		st := newStage(t, Config{Store: &report.Store{Dir: filepath.Join(t.TempDir(), "runs")}}).size(120, 40)
		st.act("r")
		st.shows(t, "no past runs")
		st.act("j", " ", "d", "enter", "c", "p", "tab", "esc")
		if st.m.current != st.m.menu {
			t.Error("escape does not lead to the menu")
		}
	})
}

func TestFormKeys(t *testing.T) {
	form := func(t *testing.T) *stage {
		st := newStage(t, Config{}).size(120, 40)
		st.act("e")
		return st
	}
	t.Run("a value is checked while it is typed", func(t *testing.T) {
		st := form(t)
		st.act("down", "down", "down", "ctrl+u", "2")
		st.shows(t, `! expected a rate such as 10000/s, not "2"`, "1 invalid")
		st.act("5/s")
		st.shows(t, "was 20000/s", "1 changed")
		if strings.Contains(st.m.View(), "!") {
			t.Errorf("still wrong:\n%s", st.m.View())
		}
	})
	t.Run("what is wrong cannot be started", func(t *testing.T) {
		st := form(t)
		st.act("tab", "tab", "tab", "x", "up", "up", "up", "enter")
		if len(st.orders) > 0 {
			t.Errorf("started %v", st.orders)
		}
		st.shows(t, "▸ rate")
	})
	t.Run("what is wrong together", func(t *testing.T) {
		st := form(t)
		st.act("pgdown", "up", "ctrl+u", "2000")
		st.shows(t, "! 2000 subscribers are more than the mailboxes hold")
	})
	t.Run("as it was", func(t *testing.T) {
		st := form(t)
		st.act("pgdown", "pgup", "ctrl+u", "9m", "ctrl+r")
		st.shows(t, "0 changed", "60s")
	})
	t.Run("kept and started from the menu", func(t *testing.T) {
		st := form(t)
		st.act("ctrl+u", "9m", "esc")
		st.shows(t, "Event storm changed")
		st.act("enter")
		if len(st.orders) != 1 || st.orders[0].Settings["event-storm"]["timeout"] != "9m" {
			t.Errorf("started %v", st.orders)
		}
	})
	t.Run("what is wrong is not kept", func(t *testing.T) {
		st := form(t)
		st.act("down", "down", "down", "ctrl+u", "esc", "enter")
		if len(st.orders) != 1 || len(st.orders[0].Settings) > 0 {
			t.Errorf("started %v", st.orders)
		}
	})
	t.Run("letters that are keys elsewhere", func(t *testing.T) {
		st := form(t)
		st.act("ctrl+u", "q?tR")
		st.shows(t, "timeout     q?tR")
	})
	t.Run("its choices are listed", func(t *testing.T) {
		st := form(t)
		st.act("pgdown")
		st.shows(t, "What a full queue does. One of block, drop.")
	})
}

// A replayed stage is one whose replay runs in a bubble.
func replayStage(t *testing.T, width, height int) *stage {
	t.Helper()
	st := runsStage(t, width, height)
	st.act("g", "j", "p")
	st.press("g") // doing the work has taken a tick
	st.wait(20 * time.Second)
	return st
}

// wait lets time pass, and the UI look.
func (st *stage) wait(d time.Duration) {
	st.t.Helper()
	time.Sleep(d)
	synctest.Wait()
	st.tick()
}

// leave ends the replay, so that its goroutine is gone.
func (st *stage) leave() {
	st.replay.Wait()
}

func TestReplayKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := replayStage(t, 120, 40)
		defer st.leave()
		at := func(want float64) {
			t.Helper()
			synctest.Wait()
			st.tick()
			// A sample every tenth of a second, and this one may be on its way.
			if got := st.replay.Timeline.Snapshot().T; got > want+1e-6 || got < want-0.2 {
				t.Errorf("the screen shows %v, want %v", got, want)
			}
		}
		at(20)
		st.shows(t, "REPLAY ×1", "/ 0:36", "0:20")
		st.press("p")
		st.wait(time.Minute)
		at(20)
		st.shows(t, "PAUSED")
		st.press("right", "right")
		at(30)
		st.press("left")
		at(25)
		st.press("]", "]", " ")
		st.shows(t, "REPLAY ×4")
		st.wait(2 * time.Second)
		at(33)
		for range 10 {
			st.press("[")
		}
		st.shows(t, "×0.25")
		for range 10 {
			st.press("]")
		}
		st.shows(t, "×16")
		st.press("G")
		at(36)
		st.wait(time.Second)
		st.shows(t, "END ×16", "FAIL")
		st.press("g")
		at(0)
		st.press("p", "k")
		st.shows(t, "a recording cannot be steered")
		st.press("r")
		if st.m.current != st.m.report || st.m.report.Report().Verdict != report.Fail || !strings.Contains(st.m.View(), "worst at") {
			t.Error("r does not show the report")
		}
		st.press("tab")
		if st.m.current != st.m.live {
			t.Error("tab does not go back to the replay")
		}
		// Escape first goes back within the screen.
		st.press("e")
		st.press("esc")
		if st.m.current != st.m.live {
			t.Fatal("escape left the replay")
		}
		st.act("esc")
		if st.m.current != st.m.history || st.m.live.Running() {
			t.Error("escape does not leave the replay")
		}
		st.act("esc")
		if quits(st.press("q")) == false {
			t.Error("q does not quit")
		}
	})
}

// An incomplete recording is played to its end, and the screen says so.
func TestReplayThatBreaksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := runsStage(t, 120, 40)
		st.act("g", "p")
		defer st.leave()
		st.shows(t, "! the recording is incomplete: it ends before the run finished")
		st.wait(time.Hour)
		st.shows(t, "END")
		st.press("r")
		st.shows(t, "ERROR", "the recording is incomplete")
	})
}

// The program can start with a replay.
func TestReplayOfTheConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, Config{Replay: &stream.Recording{Events: uitest.Script()}, ReplayName: "run.jsonl"}).size(120, 40)
		defer st.leave()
		st.wait(5 * time.Second)
		st.shows(t, "Event storm", "REPLAY")
		if !quits(st.press("q")) {
			t.Error("q asks, though nothing would be lost")
		}
	})
}

// The report says when a limit was missed most, and which faults were injected
// then.
func TestWorstMoment(t *testing.T) {
	keeper := fold.Timeline{Samples: fold.WholeRun}
	for _, e := range uitest.Script() {
		keeper.Add(e)
	}
	course := keeper.Snapshot().Timeline()
	step, ok := course.Step("event-storm", "storm")
	if !ok {
		t.Fatal("no such step")
	}
	c := course.ForStep("event-storm", "storm")
	got := c.WorstOfThreshold(report.Threshold{Metric: "latency_ms.p99", Condition: "< 5"})
	// The storms begin two seconds into each repetition of five seconds.
	var at int
	if _, err := fmt.Sscanf(got, "worst at 0:%d, during kill_agents", &at); err != nil {
		t.Fatalf("%q: %v", got, err)
	}
	if since := at - int(step.Repetitions[1].At); since < 0 || since%5 < 1 || since%5 > 3 {
		t.Errorf("%q is not in a storm", got)
	}
	if got := c.WorstOfThreshold(report.Threshold{Metric: "events_processed", OK: true}); got != "" {
		t.Errorf("a metric without a probe: %q", got)
	}
	if got := c.WorstOfThreshold(report.Threshold{Metric: "latency_ms.p99", WindowSeconds: new(1.0), WorstAtSeconds: new(0.5)}); !strings.HasPrefix(got, "worst at "+quantity.Clock(step.From+0.5)) {
		t.Errorf("half a second into the step: %q", got)
	}
	if got := (report.StepTimeline{}).WorstOfThreshold(report.Threshold{WorstAtSeconds: new(14.0)}); got != "worst 14 s into the step" {
		t.Errorf("without a course: %q", got)
	}
}

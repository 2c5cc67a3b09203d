package openmetrics

import (
	"context"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts a page on a free port, until the test ends.
func serve(t *testing.T) *Page {
	t.Helper()
	p, err := Listen(t.Context(), ":0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return p
}

func get(t *testing.T, url, accept string) (body, contentType string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if accept != "" {
		request.Header.Set("Accept", accept)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v, %s", response.Status, err, text)
	}
	return string(text), response.Header.Get("Content-Type")
}

func TestPage(t *testing.T) {
	p := serve(t)
	if body, kind := get(t, p.URL(), ""); !strings.HasSuffix(body, "# EOF\n") || !strings.HasPrefix(kind, "application/openmetrics-text") {
		t.Errorf("before the run: %s\n%s", kind, body)
	}
	for _, e := range []stream.Event{
		{T: 0, Type: stream.RunStarted, Run: &stream.Run{ID: "r1", StartedAt: time.UnixMilli(1500), Tool: report.Tool{Version: "v1", Go: "go1"}, Scenarios: []string{"a", "b"}, EstimateSeconds: 20}},
		{T: 0, Type: stream.ScenarioStarted, Scenario: &stream.Scenario{Name: "a"}},
		{T: 0, Type: stream.StepStarted, Step: &stream.Step{Name: "one", Measurement: "event-stress"}},
		{T: 1, Type: stream.StepFinished, StepResult: &report.Step{Name: "one", Verdict: report.Fail}},
		{T: 1, Type: stream.ScenarioFinished, ScenarioResult: &report.Scenario{Name: "a", Verdict: report.Fail}},
		{T: 1, Type: stream.ScenarioStarted, Scenario: &stream.Scenario{Name: "b\"\n\xff"}},
		{T: 2, Type: stream.StepStarted, Step: &stream.Step{Name: "two", Measurement: "event-stress"}},
		{T: 2, Type: stream.StepStarted, Step: &stream.Step{Name: "two", Measurement: "event-stress"}},
		{T: 2, Type: stream.RepetitionStarted, Repetition: &stream.Repetition{Step: "two", Number: 2, Of: 5}},
		{T: 3, Type: stream.FaultInjected, Fault: &stream.Fault{Fault: "kill_agents 10/s"}},
		{T: 4, Type: stream.SampleTaken, Sample: probe.Sample{
			"goroutines": 7, "gc_pause_p99_ms": 2.5, "cpu_percent": 150, "completed_per_second": 1e6, "future_probe": 8, "nan": math.NaN(), "not a name": 1,
			"agents_crashed": 1, "agents_restarted": 2, "events_dropped": 3, "gc_cycles": 4, "mutex_wait_seconds": 0.5,
		}},
	} {
		p.Add(e)
	}
	body, _ := get(t, p.URL(), "*/*")
	lines := strings.Split(body, "\n")
	for _, want := range []string{
		`mabeam_run_info{go="go1",id="r1",version="v1"} 1.0`,
		`mabeam_run_start_time_seconds 1.5`,
		`mabeam_run_elapsed_seconds 4.0`,
		`mabeam_run_estimate_seconds 20.0`,
		`mabeam_run_finished 0.0`,
		`mabeam_run_scenarios 2.0`,
		`mabeam_run_scenarios_finished{verdict="fail"} 1.0`,
		`mabeam_run_scenarios_finished{verdict="pass"} 0.0`,
		`mabeam_run_steps_finished{verdict="fail"} 1.0`,
		`mabeam_step_running{measurement="event-stress",scenario="b\" ` + "\uFFFD" + `",step="two"} 1.0`,
		`mabeam_faults_injected_total{fault="kill_agents 10/s"} 1.0`,
		`mabeam_goroutines 7.0`,
		`mabeam_gc_pause_p99_seconds 0.0025`,
		`mabeam_cpu_ratio 1.5`,
		`mabeam_completed_per_second 1e+06`,
		`# HELP mabeam_goroutines Live goroutines.`,
		`mabeam_future_probe 8.0`,
		`mabeam_agents_crashed_total 1.0`,
		`mabeam_agents_restarted_total 2.0`,
		`mabeam_events_dropped_total 3.0`,
		`mabeam_gc_cycles_total 4.0`,
		`mabeam_mutex_wait_seconds_total 0.5`,
		`# TYPE mabeam_gc_cycles counter`,
		`# TYPE mabeam_goroutines gauge`,
		`# TYPE mabeam_faults_injected counter`,
		`# EOF`,
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("there is no line %s", want)
		}
	}
	if strings.Contains(body, "mabeam_nan") || strings.Contains(body, "not a name") {
		t.Errorf("the page has invalid samples:\n%s", body)
	}
	if t.Failed() {
		t.Log(body)
	}
	if body, kind := get(t, p.URL(), "text/plain"); !strings.HasPrefix(kind, "text/plain") || strings.Contains(body, "# EOF") {
		t.Errorf("request for plain text: %s\n%s", kind, body)
	}

	// The counters of the next system start at 0.
	p.Add(stream.Event{T: 5, Type: stream.SampleTaken, Sample: probe.Sample{"agents_crashed": 0}})
	if body, _ := get(t, p.URL(), ""); !strings.Contains(body, "\nmabeam_agents_crashed_total 0.0\n") {
		t.Errorf("for the next system:\n%s", body)
	}

	// The next run replaces the page.
	p.Add(stream.Event{Type: stream.RunStarted, Run: &stream.Run{ID: "r2"}})
	if body, _ := get(t, p.URL(), ""); !strings.Contains(body, `id="r2"`) || strings.Contains(body, "mabeam_goroutines") {
		t.Errorf("for the next run:\n%s", body)
	}
}

// The page has a metric for every probe: with its unit, its kind and its meaning.
func TestPageHasEveryProbe(t *testing.T) {
	p := serve(t)
	sample := probe.Sample{}
	for _, d := range probe.All() {
		sample[d.Name] = 1
	}
	p.Add(stream.Event{Type: stream.RunStarted, Run: &stream.Run{ID: "r"}})
	p.Add(stream.Event{T: 1, Type: stream.SampleTaken, Sample: sample})
	body, _ := get(t, p.URL(), "")
	for _, d := range probe.All() {
		name := "mabeam_" + strings.NewReplacer("_ms", "_seconds", "_percent", "_ratio").Replace(string(d.Name))
		for _, want := range []string{"# HELP " + name + " " + d.Doc, "# TYPE " + name + " " + string(d.Kind)} {
			if !strings.Contains(body, want+"\n") {
				t.Errorf("there is no line %q", want)
			}
		}
	}
}

func TestListenRefuses(t *testing.T) {
	p := serve(t)
	taken := strings.TrimSuffix(strings.TrimPrefix(p.URL(), "http://"), "/metrics")
	if !strings.HasPrefix(taken, "127.0.0.1:") {
		t.Errorf("without a host it listens on %s", taken)
	}
	for address, want := range map[string]string{
		taken:         "address already in use",
		"":            `not ""`,
		"http":        "expected PORT",
		":65536":      "expected PORT",
		"-1":          "expected PORT",
		"a:b:c":       "expected PORT",
		"192.0.2.1:0": "cannot assign",
	} {
		if other, err := Listen(t.Context(), address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v", address, other, err)
		}
	}
}

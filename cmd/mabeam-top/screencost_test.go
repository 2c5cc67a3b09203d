package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
)

// The cost of the screen depends on the machine as much as on the program, so the test
// runs only on request:
//
//	go test ./cmd/mabeam-top -run ScreenCost -screen-cost 10 -v -timeout 1h
var screenCost = flag.Int("screen-cost", 0, "how many times to run the scenario ui-cost with and without a screen, alternating; 0 skips the test")

// TestScreenCost runs the same load with a screen of 120×40 and without one, alternating,
// both in a child process, and logs the cost of the screen.
func TestScreenCost(t *testing.T) {
	if *screenCost == 0 {
		t.Skip("takes minutes; use -screen-cost")
	}
	tmux, err := exec.LookPath("tmux")
	if err != nil {
		t.Skip("needs tmux")
	}
	folder := t.TempDir()
	program := filepath.Join(folder, "mabeam-top")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Setenv("XDG_STATE_HOME", folder)
	socket := filepath.Join(folder, "tmux")
	defer func() { _ = exec.Command(tmux, "-S", socket, "kill-server").Run() }()

	without := func(file string) error {
		return exec.CommandContext(t.Context(), program, "--headless", "--quiet", "--isolate", "always", "ui-cost", "-o", file).Run()
	}
	with := func(file string) error {
		// The program writes the report when it ends, with q after the run.
		name := filepath.Base(file)
		line := fmt.Sprintf("%s ui-cost -o %s", program, file)
		if err := exec.Command(tmux, "-S", socket, "new-session", "-d", "-s", strings.TrimSuffix(name, ".json"), "-x", "120", "-y", "40", line).Run(); err != nil {
			return err
		}
		target := strings.TrimSuffix(name, ".json")
		for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
			screen, err := exec.Command(tmux, "-S", socket, "capture-pane", "-p", "-t", target).Output()
			if err != nil {
				break // the program has ended
			}
			if first, _, _ := strings.Cut(string(screen), "\n"); strings.Contains(first, "Report") {
				_ = exec.Command(tmux, "-S", socket, "send-keys", "-t", target, "q").Run()
			}
		}
		_, err := os.Stat(file)
		return err
	}
	rates, overheads := map[string][]float64{}, map[string][]float64{}
	for i := range *screenCost {
		for how, run := range map[string]func(string) error{"with": with, "without": without} {
			file := filepath.Join(folder, fmt.Sprintf("%s-%d.json", how, i))
			if err := run(file); err != nil {
				t.Fatalf("%s a screen: %v", how, err)
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var r report.Report
			if err := json.Unmarshal(data, &r); err != nil {
				t.Fatal(err)
			}
			for _, step := range r.Scenarios[0].Steps {
				if step.Name == "saturated" {
					rates[how] = append(rates[how], step.Metrics["actions_per_second"].Samples...)
				}
				if how == "with" {
					overheads[step.Name] = append(overheads[step.Name], step.Probes[probe.UIOverhead].Mean)
				}
			}
		}
	}
	// Other programs make repetitions slower, never faster, so the upper quartile is more
	// accurate.
	for name, share := range map[string]float64{"median": 0.5, "upper quartile": 0.75} {
		lost := 1 - quantile(rates["with"], share)/quantile(rates["without"], share)
		t.Logf("throughput lost with a screen, by the %s of %d repetitions each: %.1f %% of %.3g/s", name, len(rates["with"]), 100*lost, quantile(rates["without"], share))
	}
	for _, step := range []string{"saturated", "idle"} {
		t.Logf("the screen's process took %.2f %% of the machine while %s (median of %d runs; most %.2f %%)",
			100*report.Median(overheads[step]), step, len(overheads[step]), 100*slices.Max(overheads[step]))
	}
}

// quantile returns the value below which the share of the values lies.
func quantile(values []float64, share float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(share*float64(len(sorted)-1))]
}

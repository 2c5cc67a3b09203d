package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"mabeam-top/internal/stress/report"
)

// A failure is a check that failed.
type failure struct {
	check
	detail      string // the value and its limits
	repetitions int    // of the step
}

// An outcome is the result of a defect.
type outcome string

const (
	caught       outcome = "caught"           // by an expected check
	elsewhere    outcome = "caught elsewhere" // by other checks only
	noise        outcome = "noise"            // only single maxima failed, as in a healthy build
	missed       outcome = "missed"           // pass or warn
	inconclusive outcome = "inconclusive"
	broken       outcome = "error"   // something could not be measured, and no check failed
	timedOut     outcome = "timeout" // the program did not end within -timeout
	failed       outcome = "failed"  // it was not built, or wrote no report
	sound        outcome = "sound"   // the healthy build did not fail
	unsound      outcome = "unsound" // the healthy build failed
)

// A result is the result of one build.
type result struct {
	defect   defect
	verdict  string
	exit     int
	outcome  outcome
	failures []failure // the expected ones first
	matched  *failure  // the first expected one; nil if there is none
	reported []string  // the value of each expected check in the report
	took     time.Duration
	err      error
}

// measure runs the program with the arguments and judges the report. With smoke, the
// scenario and the step of the expected checks do not matter.
func measure(ctx context.Context, d defect, binary, state string, args []string, smoke bool, timeout time.Duration) result {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	program := exec.CommandContext(limited, binary, append([]string{"--json", "--quiet", "--isolate", "auto"}, args...)...)
	program.Env = append(os.Environ(), "XDG_STATE_HOME="+state)
	// An interrupted run still reports what it has measured.
	program.Cancel = func() error { return program.Process.Signal(os.Interrupt) }
	program.WaitDelay = 10 * time.Second
	var complaints strings.Builder
	program.Stderr = &complaints

	r := result{defect: d}
	began := time.Now()
	output, err := program.Output()
	r.took, r.exit = time.Since(began), program.ProcessState.ExitCode()
	if ctx.Err() != nil {
		r.outcome, r.err = failed, ctx.Err()
		return r
	}
	read, readErr := report.Read(bytes.NewReader(output))
	if readErr != nil {
		r.outcome = failed
		if limited.Err() != nil {
			r.outcome = timedOut
		}
		r.err = fmt.Errorf("no report: %w\n%s", errors.Join(err, readErr), complaints.String())
		return r
	}
	r.verdict = string(read.Verdict)
	r.failures = failuresOf(read)
	for _, c := range d.expected {
		r.reported = append(r.reported, valueOf(read, c))
	}
	r.judge(smoke)
	if limited.Err() != nil && r.outcome != caught {
		r.outcome = timedOut
	}
	return r
}

// judge finds the expected failures, and the outcome.
func (r *result) judge(smoke bool) {
	expected := func(f failure) bool {
		return slices.ContainsFunc(r.defect.expected, func(c check) bool { return c.matches(f.check, smoke) })
	}
	slices.SortStableFunc(r.failures, func(x, y failure) int {
		rank := func(f failure) int {
			if expected(f) {
				return 0
			}
			return 1
		}
		return cmp.Compare(rank(x), rank(y))
	})
	if len(r.failures) > 0 && expected(r.failures[0]) {
		r.matched = &r.failures[0]
	}
	named := slices.ContainsFunc(r.failures, func(f failure) bool { return f.metric != "error" && !f.single() })
	passed := r.verdict == "pass" || r.verdict == "warn"
	switch {
	case r.defect.name == healthy && (passed || r.verdict == "inconclusive"):
		r.outcome = sound
	case r.defect.name == healthy:
		r.outcome = unsound
	case r.matched != nil:
		r.outcome = caught
	case named:
		r.outcome = elsewhere
	case passed:
		r.outcome = missed
	case r.verdict == "fail":
		r.outcome = noise
	case r.verdict == "inconclusive":
		r.outcome = inconclusive
	default:
		r.outcome = broken
	}
}

// single reports whether the check is a single maximum, which one pause of the machine
// decides.
func (c check) single() bool { return strings.HasSuffix(c.metric, ".max") }

// matches reports whether a failed check is this one. An expected metric stands for all
// its statistics and keys, except its single maximum.
func (c check) matches(f check, anywhere bool) bool {
	if !anywhere && (c.scenario != f.scenario || c.step != f.step) {
		return false
	}
	return f.metric == c.metric || strings.HasPrefix(f.metric, c.metric+".") && !f.single()
}

// ok reports whether the outcome is the expected one.
func (r result) ok(smoke bool) bool {
	switch {
	case r.defect.name == healthy:
		return r.outcome == sound
	case r.outcome == caught || r.outcome == elsewhere:
		return true
	case r.outcome == missed:
		return r.defect.uncaught != "" || smoke && !r.defect.smoke
	}
	return false
}

// valueOf returns the value of a check in the report.
func valueOf(r report.Report, c check) string {
	for _, scenario := range r.Scenarios {
		for _, step := range scenario.Steps {
			if m, ok := step.Metrics[c.metric]; ok && scenario.Name == c.scenario && step.Name == c.step {
				return quantity(m.Value) + ", " + string(m.Status)
			}
		}
	}
	return "not in the report"
}

// failuresOf lists the failed checks, without undecided ones.
func failuresOf(r report.Report) (all []failure) {
	for _, scenario := range r.Scenarios {
		for _, step := range scenario.Steps {
			for _, f := range failuresIn(step) {
				f.scenario, f.step, f.repetitions = scenario.Name, step.Name, step.RepetitionCount()
				all = append(all, f)
			}
		}
	}
	return all
}

func failuresIn(s report.Step) (all []failure) {
	if s.Verdict == report.Broken {
		for _, e := range s.Errors {
			if e.Kind == report.OperationFailed {
				all = append(all, failure{check: check{metric: "error"}, detail: fmt.Sprintf("%s (%d)", firstLine(e.Message), e.Count)})
			}
		}
	}
	if s.Verdict != report.Fail {
		return all
	}
	for _, t := range s.Thresholds {
		if t.OK {
			continue
		}
		value := any(nil)
		if t.Actual != nil {
			value = *t.Actual
		}
		all = append(all, failure{check: check{metric: t.Metric}, detail: fmt.Sprintf("%s, threshold %s", quantity(value), t.Condition)})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Metrics)) {
		m := s.Metrics[name]
		if m.Status == report.StatusFail && m.Undecided == "" && !slices.ContainsFunc(all, func(f failure) bool { return f.metric == name }) {
			all = append(all, failure{check: check{metric: name}, detail: detailOf(m)})
		}
	}
	return all
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// detailOf returns the value and its limits.
func detailOf(m report.Metric) string {
	text := quantity(m.Value)
	if m.Condition != "" {
		text += ", must be " + m.Condition
	}
	if m.Floor != nil {
		text += ", floor " + quantity(m.Floor.Value)
	}
	if m.Baseline != nil {
		text += ", baseline " + quantity(*m.Baseline)
	}
	return text
}

func quantity(value any) string {
	switch v := value.(type) {
	case nil:
		return "not measured"
	case float64:
		return fmt.Sprintf("%.4g", v)
	}
	return fmt.Sprint(value)
}

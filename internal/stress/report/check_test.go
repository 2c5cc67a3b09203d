package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestChecks(t *testing.T) {
	value := func(v any, better Better) Metric { return Metric{Value: v, Unit: "1/s", Better: better} }
	with := func(m Metric, change func(*Metric)) Metric {
		change(&m)
		return m
	}
	must := func(condition string) func(*Metric) { return func(m *Metric) { m.Condition = condition } }
	floor := func(v float64) func(*Metric) {
		return func(m *Metric) { m.Floor = &Floor{Value: v, Reference: "hand_over", Share: 0.05} }
	}
	baseline := func(v float64) func(*Metric) {
		return func(m *Metric) { m.Baseline, m.Tolerance = &v, new(0.2) }
	}
	for name, c := range map[string]struct {
		metric Metric
		want   string // each standard, the worst first
		shown  CheckKind
	}{
		"nothing":       {value(5.0, Higher), "", ""},
		"a condition":   {with(with(value(5.0, Higher), must("== 5")), func(m *Metric) { m.Status = StatusPass }), "must be 5/s: pass", KindCondition},
		"not met":       {with(with(with(value(5.0, Higher), must("== 6")), floor(4)), baseline(5)), "must be 6/s: fail, floor >= 4/s (5 % of hand_over): pass, baseline 5/s: pass", KindCondition},
		"below a floor": {with(with(with(value(5.0, Higher), must("> 1")), floor(6)), baseline(3)), "floor >= 6/s (5 % of hand_over): fail, must be > 1/s: pass, baseline 3/s: exceed", KindFloor},
		"above a floor": {with(with(value(5.0, Lower), floor(4)), baseline(5)), "floor <= 4/s (5 % of hand_over): fail, baseline 5/s: pass", KindFloor},
		"no value":      {with(with(with(value(nil, Higher), must("> 1")), floor(6)), baseline(3)), "must be > 1/s: fail, floor >= 6/s (5 % of hand_over): fail, baseline 3/s: fail", KindCondition},
		"all passed":    {with(with(with(value(5.0, Higher), must("> 1")), floor(4)), baseline(3)), "must be > 1/s: pass, floor >= 4/s (5 % of hand_over): pass, baseline 3/s: exceed", KindBaseline},
		"from 0":        {with(with(value(5.0, Lower), floor(6)), baseline(0)), "baseline 0/s: fail, floor <= 6/s (5 % of hand_over): pass", KindBaseline},
	} {
		var got []string
		for _, s := range c.metric.Checks() {
			got = append(got, fmt.Sprintf("%s: %s", s.Text(), s.Status))
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%s: %s; want %s", name, text, c.want)
		}
		if shown, ok := c.metric.MainCheck(); shown.Kind != c.shown || ok != (c.shown != "") {
			t.Errorf("%s: shown is %+v, %v", name, shown, ok)
		}
	}
	if got := (Floor{Reference: "entry_bytes", Share: 12}).basis(); got != "12 × entry_bytes" {
		t.Errorf("a multiple is %q", got)
	}
}

func TestMeets(t *testing.T) {
	for _, c := range []struct {
		value     any
		condition string
		want      bool
	}{
		{0.0, "== 0", true},
		{0.1, "== 0", false},
		{nil, "== 0", false},
		{"0", "== 0", false},
		{true, "== true", true},
		{false, "== true", false},
		{false, "== false", true},
		{true, "== 1", true},
		{1.0, "< 2", true},
		{2.0, "< 2", false},
		{2.0, "<= 2", true},
		{3.0, "> 2", true},
		{2.0, ">= 2", true},
		{2.0, "!= 2", false},
		{1.0, "about 1", false},
		{1.0, "== one", false},
		{1.0, "", false},
	} {
		if got := (Metric{Value: c.value}).Meets(c.condition); got != c.want {
			t.Errorf("%v %s: %v", c.value, c.condition, got)
		}
	}
}

func TestRemark(t *testing.T) {
	reason := Error{Message: "m was not measured: nobody came\nsecond line", Kind: Unmeasured}
	missing := func(in ...int) Metric { return Metric{Samples: make([]float64, 5-len(in)), MissingIn: in} }
	for name, c := range map[string]struct {
		metric Metric
		errors []Error
		want   string
	}{
		"measured":            {Metric{Value: 1.0}, nil, ""},
		"once not":            {missing(3), []Error{reason}, "in repetition 3 of 5: nobody came"},
		"twice not":           {missing(2, 4), []Error{reason}, "in repetitions 2 and 4 of 5: nobody came"},
		"three times not":     {missing(1, 2, 4), []Error{reason}, "in repetitions 1, 2 and 4 of 5: nobody came"},
		"never":               {missing(1, 2, 3, 4, 5), []Error{reason}, "in any repetition: nobody came"},
		"without a reason":    {missing(3), nil, "in repetition 3 of 5"},
		"of one repetition":   {Metric{MissingIn: []int{1}}, []Error{reason}, "nobody came"},
		"a reason of another": {missing(3), []Error{{Message: "mm was not measured: no", Kind: Unmeasured}}, "in repetition 3 of 5"},
		"not such an error":   {missing(3), []Error{{Message: reason.Message}}, "in repetition 3 of 5"},
		"an estimate":         {Metric{Value: 0.02, Unit: "ratio", Interval: &Interval{-0.01, 0.04}}, nil, "between -0.01 and 0.04"},
		"undecided":           {Metric{Value: 0.02, Unit: "ratio", Interval: &Interval{-0.01, 0.04}, Undecided: "why"}, nil, "why"},
	} {
		s := Step{Metrics: map[string]Metric{"m": c.metric}, Errors: c.errors}
		if got := s.Remark("m"); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	found := Step{Metrics: map[string]Metric{FindingsMetric: {Value: 5.0}}, Errors: []Error{
		{Message: "one", Count: 1, Kind: Finding}, {Message: "two", Count: 2, Kind: Finding}, {Message: "no finding"}, {Message: "three", Count: 2, Kind: Finding},
	}}
	if got := found.Remark(FindingsMetric); got != "one; 2× two; and 1 more below" {
		t.Errorf("findings: %q", got)
	}
}

// A percentile needs ten operations beyond it.
func TestStat(t *testing.T) {
	for stat, least := range map[string]int64{"min": 1, "mean": 1, "stddev": 1, "max": 1, "p50": 20, "p90": 100, "p95": 200, "p99": 1000, "p999": 10_000} {
		d := Distribution{Count: least, Min: 1, Mean: 1, Stddev: 1, P50: 1, P90: 1, P95: 1, P99: 1, P999: 1, Max: 1}
		if v, ok := d.Stat(stat); !ok || v != 1 {
			t.Errorf("%s of %d operations: %v, %v", stat, least, v, ok)
		}
		d.Count--
		if _, ok := d.Stat(stat); ok {
			t.Errorf("%s of %d operations has a value", stat, d.Count)
		}
	}
	if _, ok := (Distribution{Count: 1e6}).Stat("p42"); ok {
		t.Error("p42 has a value")
	}
}

// Sorting neither loses nor changes an error.
func TestSortedErrors(t *testing.T) {
	kinds := []ErrorKind{Finding, OperationFailed, Detail, Unmeasured, Note}
	rapid.Check(t, func(t *rapid.T) {
		s := Step{Errors: rapid.SliceOf(rapid.Custom(func(t *rapid.T) Error {
			return Error{Message: rapid.StringN(0, 5, 9).Draw(t, "message"), Kind: rapid.SampledFrom(append(kinds, "new")).Draw(t, "kind")}
		})).Draw(t, "errors")}
		sorted := s.SortedErrors()
		if len(sorted) != len(s.Errors) {
			t.Fatalf("%d of %d", len(sorted), len(s.Errors))
		}
		for _, kind := range append(kinds, "new") {
			of := func(all []Error) (some []Error) {
				for _, e := range all {
					if e.Kind == kind {
						some = append(some, e)
					}
				}
				return some
			}
			if !slices.Equal(of(s.Errors), of(sorted)) {
				t.Fatalf("those of kind %q changed", kind)
			}
		}
		if !slices.IsSortedFunc(sorted, func(a, b Error) int { return a.rank() - b.rank() }) {
			t.Fatal("they are not grouped")
		}
	})
}

// The reason of a step that could not be measured is an error, not a note.
func TestReasonIsNoNote(t *testing.T) {
	s := Step{Verdict: Broken, Errors: []Error{{Message: "the process died"}, {Message: "late", Kind: Note}, {Message: "m was not measured: no", Kind: Unmeasured}}}
	if got := s.Reason(); got != "the process died" {
		t.Errorf("reason %q", got)
	}
	s.Errors = s.Errors[1:2]
	if got := s.Reason(); got != "late" {
		t.Errorf("reason %q", got)
	}
}

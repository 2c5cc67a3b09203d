package report

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestWorst(t *testing.T) {
	order := []Verdict{Pass, Warn, Inconclusive, Fail, Broken, Interrupted}
	for i, a := range order {
		for j, b := range order {
			if got := Worst(a, b); got != order[max(i, j)] {
				t.Errorf("worst of %s and %s is %s", a, b, got)
			}
		}
	}
	if Worst() != Broken || Worst("") != Broken || Worst("fine", Pass) != Broken {
		t.Error("nothing known is not an error")
	}
}

func TestScoreOf(t *testing.T) {
	with := func(statuses ...Status) map[string]Metric {
		m := map[string]Metric{}
		for i, s := range statuses {
			m[string(rune('a'+i))] = Metric{Status: s}
		}
		return m
	}
	for name, c := range map[string]struct {
		metrics map[string]Metric
		verdict Verdict
		want    float64
	}{
		"one of each":            {with(StatusExceed, StatusPass, StatusWarn, StatusFail, StatusInfo), Fail, 0.7},
		"info does not count":    {with(StatusExceed, StatusInfo, StatusInfo), Pass, 1},
		"what was judged counts": {with(StatusPass), Broken, 1},
		"nothing judged, pass":   {with(StatusInfo), Pass, 1},
		"nothing judged, warn":   {nil, Warn, 0.8},
		"nothing judged, fail":   {nil, Fail, 0},
		"nothing found out":      {nil, Inconclusive, 0},
		"not measured":           {nil, Broken, 0},
		"interrupted":            {nil, Interrupted, 0},
	} {
		if got := ScoreOf(c.metrics, c.verdict); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestGradeOf(t *testing.T) {
	for _, c := range []struct {
		score   float64
		verdict Verdict
		near    bool
		want    Grade
	}{
		{1, Pass, true, Excellent},
		{1, Pass, false, Good},
		{0.99, Warn, true, Acceptable},
		{1, Inconclusive, true, Acceptable},
		{1, Interrupted, true, Acceptable},
		{0.95, Fail, true, Poor},
		{0.8, Fail, false, Poor},
		{0.79, Fail, true, Critical},
		{0.9, Broken, true, Poor},
		{0, Broken, false, Critical},
		{math.NaN(), Fail, false, Critical},
	} {
		if got := GradeOf(c.score, c.verdict, c.near); got != c.want {
			t.Errorf("%v, %s, near the best %v is %s, want %s", c.score, c.verdict, c.near, got, c.want)
		}
	}
}

func TestConclude(t *testing.T) {
	s := Scenario{Steps: []Step{{Verdict: Pass, Score: 1}, {Verdict: Fail, Score: 0.7}}}
	s.Conclude()
	if s.Verdict != Fail || math.Abs(s.Score-0.85) > 1e-12 {
		t.Errorf("scenario %s, %v", s.Verdict, s.Score)
	}
	r := Report{Scenarios: []Scenario{s, {Verdict: Inconclusive, Score: 0.95}}}
	r.Conclude()
	if r.Verdict != Fail || math.Abs(r.Score-0.9) > 1e-12 || r.Grade != Poor {
		t.Errorf("run %s, %v, %s", r.Verdict, r.Score, r.Grade)
	}
	var nothing Scenario
	nothing.Conclude()
	var none Report
	none.Conclude()
	if nothing.Verdict != Broken || none.Verdict != Broken || none.Score != 0 || none.Grade != Critical {
		t.Errorf("of nothing: %s, %s, %v, %s", nothing.Verdict, none.Verdict, none.Score, none.Grade)
	}
}

func TestManyOfTheSameAreTheSame(t *testing.T) {
	for status, worth := range points {
		for n := 1; n <= 60; n++ {
			metrics := map[string]Metric{}
			steps := make([]Step, n)
			for i := range n {
				metrics[string(rune('a'+i))] = Metric{Status: status}
				steps[i] = Step{Verdict: Pass, Score: worth}
			}
			s := Scenario{Steps: steps}
			s.Conclude()
			if got := ScoreOf(metrics, Pass); got != worth || s.Score != worth {
				t.Errorf("%d times %v are %v in a step and %v in a scenario", n, worth, got, s.Score)
			}
		}
	}
}

func TestABetterStepNeverMakesItWorse(t *testing.T) {
	order := []Verdict{Interrupted, Broken, Fail, Inconclusive, Warn, Pass}
	rapid.Check(t, func(t *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Step {
			return Step{Verdict: rapid.SampledFrom(order).Draw(t, "verdict"), Score: rapid.Float64Range(0, 1).Draw(t, "score")}
		}), 1, 8).Draw(t, "steps")
		before := Scenario{Steps: steps}
		before.Conclude()
		better := append([]Step(nil), steps...)
		i := rapid.IntRange(0, len(steps)-1).Draw(t, "which")
		better[i].Verdict, better[i].Score = Pass, 1
		after := Scenario{Steps: better}
		after.Conclude()
		if severity[after.Verdict] > severity[before.Verdict] || after.Score < before.Score-1e-9 {
			t.Fatalf("%s %v became %s %v", before.Verdict, before.Score, after.Verdict, after.Score)
		}
	})
}

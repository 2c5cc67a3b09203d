package verdict

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// every makes a series with a point each step seconds from start on.
func every(start, step float64, values ...float64) Series {
	s := Series{Start: start}
	for i, v := range values {
		s.Points = append(s.Points, Point{At: start + float64(i+1)*step, Value: v})
	}
	return s
}

func TestWorstWindow(t *testing.T) {
	atLeast := Condition{">=", 100}
	for name, c := range map[string]struct {
		condition     Condition
		window, after time.Duration
		series        []Series
		want          Window
		found         bool
	}{
		"nothing":             {condition: atLeast, window: time.Second},
		"shorter than one":    {condition: atLeast, window: time.Second, series: []Series{every(0, 0.1, 100, 100, 100)}},
		"just one":            {condition: atLeast, window: time.Second, series: []Series{every(0, 0.25, 100, 100, 140, 100)}, want: Window{0, 110, true}, found: true},
		"after the start-up":  {condition: atLeast, window: time.Second, after: time.Second, series: []Series{every(5, 0.5, 0, 0, 100, 120)}, want: Window{6, 110, true}, found: true},
		"start-up takes all":  {condition: atLeast, window: time.Second, after: 2 * time.Second, series: []Series{every(0, 0.5, 100, 100, 100, 100)}},
		"a dip over a border": {condition: atLeast, window: time.Second, series: []Series{every(0, 0.5, 150, 50, 50, 150)}, want: Window{0.5, 50, false}, found: true},
		"the first of equals": {condition: atLeast, window: time.Second, series: []Series{every(0, 1, 50, 100, 50)}, want: Window{0, 50, false}, found: true},
		"not across repetitions": {
			condition: atLeast, window: time.Second,
			series: []Series{every(0, 0.5, 200, 200), every(10, 0.5, 90, 130)}, want: Window{10, 110, true}, found: true,
		},
		"one repetition too short": {condition: atLeast, window: time.Second, series: []Series{every(0, 0.5, 0), every(3, 1, 100)}, want: Window{3, 100, true}, found: true},
		"lower is wanted":          {condition: Condition{"<", 5}, window: time.Second, series: []Series{every(0, 1, 1, 5, 2)}, want: Window{1, 5, false}, found: true},
		"equal is wanted":          {condition: Condition{"==", 5}, window: time.Second, series: []Series{every(0, 1, 5, 4, 7)}, want: Window{2, 7, false}, found: true},
		"other is wanted":          {condition: Condition{"!=", 5}, window: time.Second, series: []Series{every(0, 1, 1, 5, 7)}, want: Window{1, 5, false}, found: true},
		"what is no number":        {condition: atLeast, window: time.Second, series: []Series{every(0, 0.5, math.NaN(), 100)}, want: Window{0, 100, true}, found: true},
		"nothing but no numbers":   {condition: atLeast, window: time.Second, series: []Series{every(0, 0.5, math.NaN(), math.Inf(1))}},
		"no window":                {condition: atLeast, series: []Series{every(0, 1, 100, 100)}},
	} {
		t.Run(name, func(t *testing.T) {
			threshold := Threshold{Condition: c.condition, Window: c.window, After: c.after}
			got, found := threshold.Worst(c.series...)
			if found != c.found || math.Abs(got.Start-c.want.Start) > 1e-9 || math.Abs(got.Value-c.want.Value) > 1e-9 || got.OK != c.want.OK {
				t.Errorf("got %+v, %v; want %+v, %v", got, found, c.want, c.found)
			}
		})
	}
}

func TestWorstWindowFailsIfAnyFails(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		threshold := Threshold{
			Condition: Condition{rapid.SampledFrom([]string{"<", "<=", ">", ">=", "==", "!="}).Draw(t, "op"), float64(rapid.IntRange(0, 3).Draw(t, "limit"))},
			Window:    time.Duration(rapid.IntRange(1, 5).Draw(t, "window")) * 100 * time.Millisecond,
		}
		s := Series{}
		for i, v := range rapid.SliceOfN(rapid.IntRange(0, 3), 1, 40).Draw(t, "values") {
			s.Points = append(s.Points, Point{At: float64(i+1) / 10, Value: float64(v)})
		}
		allOK, full := true, false
		for i := range s.Points {
			if w, ok := threshold.Latest(Series{Points: s.Points[:i+1]}); ok {
				full = true
				allOK = allOK && w.OK
			}
		}
		worst, found := threshold.Worst(s)
		if found != full || found && worst.OK != allOK {
			t.Fatalf("worst %+v, %v; but all OK is %v", worst, found, allOK)
		}
	})
}

func TestHolds(t *testing.T) {
	for _, c := range []struct {
		op                   string
		below, equal, beyond bool
	}{
		{"<", true, false, false},
		{"<=", true, true, false},
		{">", false, false, true},
		{">=", false, true, true},
		{"==", false, true, false},
		{"!=", true, false, true},
		{"~", false, false, false},
	} {
		condition := Condition{c.op, 5}
		if condition.Holds(4) != c.below || condition.Holds(5) != c.equal || condition.Holds(6) != c.beyond {
			t.Errorf("4, 5, 6 %s 5: %v, %v, %v", c.op, condition.Holds(4), condition.Holds(5), condition.Holds(6))
		}
		if condition.Holds(math.NaN()) {
			t.Errorf("NaN %s 5 holds", c.op)
		}
	}
}

func TestPossible(t *testing.T) {
	infinite := math.Inf(1)
	for _, c := range []struct {
		condition   string
		least, most float64
		want        bool
	}{
		{"< 0", 0, infinite, false},
		{"<= 0", 0, infinite, true},
		{"< 0.1", 0, infinite, true},
		{"> 1", 0, 1, false},
		{">= 1", 0, 1, true},
		{"> 1e300", 0, infinite, true},
		{"== 2", 0, 1, false},
		{"== -1", 0, infinite, false},
		{"== 0.5", 0, 1, true},
		{"!= 5", 0, 1, true},
		{"!= 5", 5, 5, false},
		{"< -1e300", -infinite, infinite, true},
	} {
		condition, err := ParseCondition(c.condition)
		if err != nil {
			t.Fatal(err)
		}
		if got := condition.Possible(c.least, c.most); got != c.want {
			t.Errorf("%s, from %v to %v: %v, want %v", c.condition, c.least, c.most, got, c.want)
		}
	}
	if (Condition{Op: "~", Limit: 1}).Possible(0, 1) {
		t.Error("an unknown operator can hold")
	}
}

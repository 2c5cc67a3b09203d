package verdict

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// every returns a series with a point every step seconds after start.
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

// latencies returns n operations of ms milliseconds each.
func latencies(n int64, ms float64) *Latencies {
	if n == 0 {
		return &Latencies{}
	}
	return &Latencies{Buckets: []Bucket{{ms, n}}, Sum: float64(n) * ms}
}

// The percentile of a window is that of all its operations, not the mean of the
// percentiles of its parts. If no operation ended, it is the age of the oldest one.
func TestWindowOfLatencies(t *testing.T) {
	quick, slow := Point{Latencies: latencies(900, 1)}, Point{Latencies: latencies(100, 150)}
	for name, c := range map[string]struct {
		metric string
		points []Point
		want   float64
	}{
		"a stall among quick ones":  {"latency_ms.p99", []Point{quick, quick, quick, slow}, 150},
		"half of the time":          {"latency_ms.p50", []Point{quick, quick, quick, slow}, 1},
		"the mean of all":           {"latency_ms", []Point{quick, slow}, 15.9},
		"the longest":               {"latency_ms.max", []Point{quick, slow}, 150},
		"nothing ended":             {"latency_ms.p99", []Point{{Value: 100, Latencies: latencies(0, 0)}, {Value: 200, Latencies: latencies(0, 0)}}, 200},
		"nothing ended, for a part": {"latency_ms.p99", []Point{{Value: 100, Latencies: latencies(0, 0)}, quick}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := Series{Points: c.points}
			for i := range s.Points {
				s.Points[i].At = float64(i+1) / 10
			}
			threshold := Threshold{Metric: c.metric, Condition: Condition{"<", 5}, Window: time.Duration(len(c.points)) * 100 * time.Millisecond}
			w, ok := threshold.Latest(s)
			if !ok || math.Abs(w.Value-c.want) > 1e-9 {
				t.Errorf("%v, %v; want %v", w.Value, ok, c.want)
			}
		})
	}
}

// A sample counts for the time that it covers: one that the sampler took late covers
// more.
func TestWindowWeighsByTime(t *testing.T) {
	s := Series{Points: []Point{{At: 0.1, Value: 1000}, {At: 0.9, Value: 0}, {At: 1, Value: 1000}}}
	if w, ok := (Threshold{Metric: "rate", Window: time.Second}).Latest(s); !ok || math.Abs(w.Value-200) > 1e-9 {
		t.Errorf("%v, %v; want 200", w.Value, ok)
	}
}

package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"mabeam-top/internal/stress/quantity"
)

// A chartSpec says what one chart shows: probes of one unit that are read
// together.
type chartSpec struct {
	title  string
	unit   string
	probes []string
}

// chartSpecs are the charts of a step, in the order in which one looks for a
// cause: what was asked of the system, what it answered, and what it needed.
var chartSpecs = []chartSpec{
	{"Load", "1/s", []string{"offered_per_second", "completed_per_second", "failed_per_second"}},
	{"Latency", "ms", []string{"action_p50_ms", "action_p95_ms", "action_p99_ms"}},
	{"Actions", "1/s", []string{"actions_per_second", "actions_failed_per_second"}},
	{"Events", "1/s", []string{"events_published_per_second", "events_delivered_per_second"}},
	{"Events dropped", "count", []string{"events_dropped"}},
	{"Registry", "1/s", []string{"registry_operations_per_second"}},
	{"Coordination", "1/s", []string{"coordination_rounds_per_second"}},
	{"Agents", "count", []string{"agents", "agents_crashed", "agents_restarted"}},
	{"Agents started and stopped", "1/s", []string{"agents_started_per_second", "agents_stopped_per_second"}},
	{"Queues", "count", []string{"inflight", "mailbox_depth", "mailbox_depth_max"}},
	{"CPU", "%", []string{"cpu_percent", "host_cpu_percent"}},
	{"Memory", "bytes", []string{"rss_bytes", "heap_bytes", "heap_live_bytes"}},
	{"Goroutines", "count", []string{"goroutines", "goroutines_runnable"}},
	{"Pauses", "ms", []string{"gc_pause_p99_ms", "sched_latency_p99_ms", "generator_lag_ms"}},
}

// chartPoints is how many points a line has at most: more than a screen shows
// would only make the file large.
const chartPoints = 160

// A chart is what the page draws. Places are in hundredths of the plot's width
// and height, from its upper left corner.
type chart struct {
	Title    string
	Top      string // what the upper edge means
	From, To string // the times at the left and right edge
	Lines    []chartLine
	Limits   []chartLimit
	Beyond   []string // limits that are far above what was measured
	Faults   []chartMark
	Starts   []chartMark // of repetitions
	Warmups  []chartSpan
}

// A chartLine is one probe.
type chartLine struct {
	Class int // 1 to 3
	Name  string
	Path  string
	Mean  string
	Max   string
}

// A chartLimit is a baseline or threshold across the plot.
type chartLimit struct {
	// Source is the class of the line in the style sheet.
	Source CheckKind
	Text   string
	Y      string
}

// A chartMark is a moment.
type chartMark struct {
	X    string
	Text string
}

// A chartSpan is a part of the time.
type chartSpan struct{ X, Width string }

// chartsOf draws the course of one step. A probe that was never read, or was
// nothing but 0 and has no limit, is left out, and so is a chart without any.
func chartsOf(c Timeline, step TimelineStep) []chart {
	first, _ := slices.BinarySearch(c.Times, step.From)
	last, _ := slices.BinarySearch(c.Times, step.To)
	if last < len(c.Times) && c.Times[last] == step.To {
		last++
	}
	if last-first < 2 || step.To <= step.From {
		return nil
	}
	var charts []chart
	for _, spec := range chartSpecs {
		if drawn, ok := draw(spec, c, step, first, last); ok {
			charts = append(charts, drawn)
		}
	}
	return charts
}

func draw(spec chartSpec, c Timeline, step TimelineStep, first, last int) (chart, bool) {
	times := c.Times[first:last]
	var limits []TimelineLimit
	for _, l := range step.Limits {
		if slices.Contains(spec.probes, l.Probe) && Finite(l.Value) {
			limits = append(limits, l)
		}
	}
	top := 0.0
	type series struct {
		name   string
		values []float64
		sum    float64
		n      int
		max    float64
	}
	var shown []series
	for _, name := range spec.probes {
		s := series{name: name, max: math.Inf(-1)}
		if all := c.Probes[name]; len(all) >= last {
			s.values = all[first:last]
		}
		for _, v := range s.values {
			if Finite(v) {
				s.sum, s.n, s.max = s.sum+v, s.n+1, max(s.max, v)
			}
		}
		limited := slices.ContainsFunc(limits, func(l TimelineLimit) bool { return l.Probe == name })
		if s.n == 0 || s.max <= 0 && !limited {
			continue
		}
		shown = append(shown, s)
		top = max(top, s.max)
	}
	if len(shown) == 0 {
		return chart{}, false
	}
	drawn := chart{Title: spec.title, From: quantity.Format(0, "s"), To: quantity.Format(step.To-step.From, "s")}
	highest := top
	var inside []TimelineLimit
	for _, l := range limits {
		if l.Source != KindBaseline {
			l.Source = KindThreshold // the style sheet knows these two
		}
		if l.Value > 3*highest && highest > 0 {
			// Drawn to scale, it would press all that was measured flat.
			drawn.Beyond = append(drawn.Beyond, l.text(spec.unit))
			continue
		}
		inside = append(inside, l)
		top = max(top, l.Value)
	}
	if top <= 0 {
		top = 1
	}
	top *= 1.05
	drawn.Top = chartQuantity(top, spec.unit)
	x := func(t float64) float64 { return 100 * min(max((t-step.From)/(step.To-step.From), 0), 1) }
	y := func(v float64) float64 { return 100 * (1 - min(max(v/top, 0), 1)) }
	for i, s := range shown {
		drawn.Lines = append(drawn.Lines, chartLine{
			Class: i + 1, Name: s.name, Path: path(times, s.values, x, y),
			Mean: chartQuantity(s.sum/float64(s.n), spec.unit), Max: chartQuantity(s.max, spec.unit),
		})
	}
	for _, l := range inside {
		drawn.Limits = append(drawn.Limits, chartLimit{Source: l.Source, Text: l.text(spec.unit), Y: place(y(l.Value))})
	}
	for _, f := range c.Faults {
		if f.During(step) {
			drawn.Faults = append(drawn.Faults, chartMark{X: place(x(f.At)), Text: fmt.Sprintf("%s at %s", f.Text(), quantity.Format(f.At-step.From, "s"))})
		}
	}
	for i, r := range step.Repetitions {
		if r.Number > 0 {
			drawn.Starts = append(drawn.Starts, chartMark{X: place(x(r.At)), Text: "repetition " + strconv.Itoa(r.Number)})
			continue
		}
		end := step.To
		if i+1 < len(step.Repetitions) {
			end = step.Repetitions[i+1].At
		}
		drawn.Warmups = append(drawn.Warmups, chartSpan{X: place(x(r.At)), Width: place(x(end) - x(r.At))})
	}
	return drawn, true
}

// text tells a limit.
func (l TimelineLimit) text(unit string) string {
	return fmt.Sprintf("%s %s %s %s", l.Source, l.Metric, l.Op, chartQuantity(l.Value, unit))
}

// chartQuantity is quantity.Format, with percentages and rounded mean counts.
func chartQuantity(v float64, unit string) string {
	switch {
	case unit == "%":
		return quantity.Number(v) + " %"
	case unit == "count" && math.Abs(v) >= 100:
		v = math.Round(v)
	}
	return quantity.Format(v, unit)
}

func place(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }

// path is a line through the readings. Of readings that are closer than the
// page could show, the lowest and the highest stay, so that no peak is lost.
// Where nothing was read there is a gap.
func path(times, values []float64, x, y func(float64) float64) string {
	var b strings.Builder
	pen := 'M'
	draw := func(i int) {
		fmt.Fprintf(&b, "%c%.2f %.2f", pen, x(times[i]), y(values[i]))
		pen = 'L'
	}
	bucket := max(1, (len(values)+chartPoints/2-1)/(chartPoints/2))
	if len(values) <= chartPoints {
		bucket = 1
	}
	for from := 0; from < len(values); from += bucket {
		low, high := -1, -1
		for i := from; i < min(from+bucket, len(values)); i++ {
			if !Finite(values[i]) {
				continue
			}
			if low < 0 || values[i] < values[low] {
				low = i
			}
			if high < 0 || values[i] > values[high] {
				high = i
			}
		}
		switch {
		case low < 0:
			pen = 'M'
		case low == high:
			draw(low)
		default:
			draw(min(low, high))
			draw(max(low, high))
		}
	}
	return b.String()
}

// dots are the repetitions of a metric on one line: where each lies between the
// least and the greatest of them, and the baseline if it is not far from them.
type dots struct {
	At       []string
	Baseline string
	Text     string
}

// dotsOf returns nothing for fewer than two repetitions.
func dotsOf(m Metric) *dots {
	if len(m.Samples) < 2 || slices.ContainsFunc(m.Samples, func(v float64) bool { return !Finite(v) }) {
		return nil
	}
	low, high := slices.Min(m.Samples), slices.Max(m.Samples)
	told := make([]string, len(m.Samples))
	for i, v := range m.Samples {
		told[i] = quantity.Format(v, m.Unit)
	}
	d := &dots{Text: "repetitions: " + strings.Join(told, ", ")}
	// A baseline that is far away would put all repetitions on one spot.
	near := m.Baseline != nil && math.Abs(*m.Baseline-low) < 4*(high-low) && math.Abs(*m.Baseline-high) < 4*(high-low)
	if near {
		low, high = min(low, *m.Baseline), max(high, *m.Baseline)
	}
	at := func(v float64) string {
		if high-low <= 0 || math.IsInf(high-low, 0) {
			return place(50)
		}
		return place(4 + 92*(v-low)/(high-low))
	}
	for _, v := range m.Samples {
		d.At = append(d.At, at(v))
	}
	if near {
		d.Baseline = at(*m.Baseline)
		d.Text += "; baseline " + quantity.Format(*m.Baseline, m.Unit)
	}
	return d
}

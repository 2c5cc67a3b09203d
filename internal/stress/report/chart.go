package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"mabeam-top/internal/probes/probe"
)

// A chartSpec says what one chart shows: probes of one unit that are read
// together.
type chartSpec struct {
	title  string
	unit   string
	probes []probe.Name
}

// chartSpecs are the charts of a step, in the order in which one looks for a
// cause: what was asked of the system, what it answered, and what it needed.
var chartSpecs = []chartSpec{
	{"Load", "1/s", []probe.Name{probe.OfferedPerSecond, probe.CompletedPerSecond, probe.FailedPerSecond}},
	{"Latency", "ms", []probe.Name{probe.ActionP50MS, probe.ActionP95MS, probe.ActionP99MS}},
	{"Actions", "1/s", []probe.Name{probe.ActionsPerSecond, probe.ActionsFailedPerSecond}},
	{"Events", "1/s", []probe.Name{probe.EventsPublishedPerSecond, probe.EventsDeliveredPerSecond}},
	{"Events dropped", "count", []probe.Name{probe.EventsDropped}},
	{"Registry", "1/s", []probe.Name{probe.RegistryOperationsPerSecond}},
	{"Coordination", "1/s", []probe.Name{probe.CoordinationRoundsPerSecond}},
	{"Agents", "count", []probe.Name{probe.Agents, probe.AgentsCrashed, probe.AgentsRestarted}},
	{"Agents started and stopped", "1/s", []probe.Name{probe.AgentsStartedPerSecond, probe.AgentsStoppedPerSecond}},
	{"Queues", "count", []probe.Name{probe.InFlight, probe.MailboxDepth, probe.MailboxDepthMax}},
	{"CPU", "%", []probe.Name{probe.CPUPercent, probe.HostCPUPercent}},
	{"Memory", "bytes", []probe.Name{probe.RSSBytes, probe.HeapBytes, probe.HeapLiveBytes}},
	{"Goroutines", "count", []probe.Name{probe.Goroutines, probe.GoroutinesRunnable}},
	{"Pauses", "ms", []probe.Name{probe.GCPauseP99MS, probe.SchedLatencyP99MS, probe.GeneratorLagMS}},
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
	// Source is "baseline" or "threshold".
	Source string
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
func chartsOf(c Course, step CourseStep) []chart {
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

func draw(spec chartSpec, c Course, step CourseStep, first, last int) (chart, bool) {
	times := c.Times[first:last]
	var limits []CourseLimit
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
		s := series{name: string(name), max: math.Inf(-1)}
		if all := c.Probes[name]; len(all) >= last {
			s.values = all[first:last]
		}
		for _, v := range s.values {
			if Finite(v) {
				s.sum, s.n, s.max = s.sum+v, s.n+1, max(s.max, v)
			}
		}
		limited := slices.ContainsFunc(limits, func(l CourseLimit) bool { return l.Probe == name })
		if s.n == 0 || s.max <= 0 && !limited {
			continue
		}
		shown = append(shown, s)
		top = max(top, s.max)
	}
	if len(shown) == 0 {
		return chart{}, false
	}
	drawn := chart{Title: spec.title, From: Quantity(0, "s"), To: Quantity(step.To-step.From, "s")}
	highest := top
	var inside []CourseLimit
	for _, l := range limits {
		if l.Source != "baseline" {
			l.Source = "threshold" // the style sheet knows these two
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
		if f.in(step) {
			drawn.Faults = append(drawn.Faults, chartMark{X: place(x(f.At)), Text: fmt.Sprintf("%s at %s", f.Text(), Quantity(f.At-step.From, "s"))})
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
func (l CourseLimit) text(unit string) string {
	return fmt.Sprintf("%s %s %s %s", l.Source, l.Metric, l.Op, chartQuantity(l.Value, unit))
}

// chartQuantity is Quantity, which also knows the unit of shares of a CPU.
func chartQuantity(v float64, unit string) string {
	if unit == "%" {
		return digits3(round3(v)) + " %"
	}
	if unit == "count" && v != math.Trunc(v) {
		v = round3(v)
	}
	return Quantity(v, unit)
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
		told[i] = Quantity(v, m.Unit)
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
		d.Text += "; baseline " + Quantity(*m.Baseline, m.Unit)
	}
	return d
}

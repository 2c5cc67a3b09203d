package format

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
)

// A chartSpec names the probes of one chart, which have the same unit.
type chartSpec struct {
	title  string
	unit   string
	probes []probe.Name
}

// chartSpecs are the charts of a step, in the order in which one looks for a cause: the
// load, the answers, the resources.
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

// A chart is what the page draws. Coordinates are percentages of the plot's width and
// height, from its upper left corner.
type chart struct {
	Title    string
	Top      string // the value at the upper edge
	From, To string // the times at the left and right edge
	Lines    []chartLine
	Limits   []chartLimit
	Beyond   []string // limits far above the measured values
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
	Class report.CheckKind
	Text  string
	Y     string
}

// A chartMark is a moment.
type chartMark struct {
	X    string
	Text string
}

// A chartSpan is a period.
type chartSpan struct{ X, Width string }

// charts draws the timeline of a step. It leaves out probes that were never read or
// always 0 without a limit, and charts without probes.
func charts(t report.StepTimeline) []chart {
	if len(t.Times()) < 2 || t.To <= t.From {
		return nil
	}
	var all []chart
	for _, spec := range chartSpecs {
		if c, ok := draw(spec, t); ok {
			all = append(all, c)
		}
	}
	return all
}

// A series is the readings of one probe.
type series struct {
	name      probe.Name
	values    []float64
	mean, max float64
}

// seriesOf returns the series of a chart that have something to show.
func seriesOf(spec chartSpec, t report.StepTimeline, limits []report.TimelineLimit) []series {
	var shown []series
	for _, name := range spec.probes {
		s := series{name: name, values: t.Readings(name), max: math.Inf(-1)}
		n := 0
		for _, v := range s.values {
			if report.Finite(v) {
				s.mean, n, s.max = s.mean+v, n+1, max(s.max, v)
			}
		}
		s.mean /= float64(n)
		limited := slices.ContainsFunc(limits, func(l report.TimelineLimit) bool { return l.Probe == name })
		if n > 0 && (s.max > 0 || limited) {
			shown = append(shown, s)
		}
	}
	return shown
}

func draw(spec chartSpec, t report.StepTimeline) (chart, bool) {
	var limits []report.TimelineLimit
	for _, l := range t.Limits {
		if !slices.Contains(spec.probes, l.Probe) || !report.Finite(l.Value) {
			continue
		}
		if l.Source != report.KindBaseline {
			l.Source = report.KindThreshold // the style sheet knows these two
		}
		limits = append(limits, l)
	}
	shown := seriesOf(spec, t, limits)
	if len(shown) == 0 {
		return chart{}, false
	}
	highest := 0.0
	for _, s := range shown {
		highest = max(highest, s.max)
	}
	c := chart{Title: spec.title, From: quantity.Format(0, "s"), To: quantity.Format(t.To-t.From, "s")}
	top := highest
	limits = slices.DeleteFunc(limits, func(l report.TimelineLimit) bool {
		if highest > 0 && l.Value > 3*highest { // to scale, it would flatten the lines
			c.Beyond = append(c.Beyond, limitText(l, spec.unit))
			return true
		}
		top = max(top, l.Value)
		return false
	})
	if top <= 0 {
		top = 1
	}
	top *= 1.05
	c.Top = chartQuantity(top, spec.unit)
	x := func(at float64) float64 { return 100 * min(max((at-t.From)/(t.To-t.From), 0), 1) }
	y := func(v float64) float64 { return 100 * (1 - min(max(v/top, 0), 1)) }
	for i, s := range shown {
		c.Lines = append(c.Lines, chartLine{
			Class: i + 1, Name: string(s.name), Path: linePath(t.Times(), s.values, x, y),
			Mean: chartQuantity(s.mean, spec.unit), Max: chartQuantity(s.max, spec.unit),
		})
	}
	for _, l := range limits {
		c.Limits = append(c.Limits, chartLimit{Class: l.Source, Text: limitText(l, spec.unit), Y: coordinate(y(l.Value))})
	}
	c.mark(t, x)
	return c, true
}

// mark adds the faults, the repetitions and the warm-ups.
func (c *chart) mark(t report.StepTimeline, x func(at float64) float64) {
	for _, f := range t.Faults() {
		c.Faults = append(c.Faults, chartMark{coordinate(x(f.At)), fmt.Sprintf("%s at %s", f.Text(), quantity.Format(f.At-t.From, "s"))})
	}
	for i, r := range t.Repetitions {
		if r.Number > 0 {
			c.Starts = append(c.Starts, chartMark{coordinate(x(r.At)), "repetition " + strconv.Itoa(r.Number)})
			continue
		}
		end := t.To
		if i+1 < len(t.Repetitions) {
			end = t.Repetitions[i+1].At
		}
		c.Warmups = append(c.Warmups, chartSpan{X: coordinate(x(r.At)), Width: coordinate(x(end) - x(r.At))})
	}
}

func limitText(l report.TimelineLimit, unit string) string {
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

func coordinate(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }

// mostPoints is how many points a line has at most: screens cannot show more.
const mostPoints = 160

// linePath is an SVG path through the readings, with a gap where there are none. Of
// readings that lie too close for a screen, it keeps the lowest and the highest, and so
// every peak.
func linePath(times, values []float64, x, y func(float64) float64) string {
	var b strings.Builder
	pen := 'M'
	draw := func(i int) {
		fmt.Fprintf(&b, "%c%.2f %.2f", pen, x(times[i]), y(values[i]))
		pen = 'L'
	}
	size := 1
	if len(values) > mostPoints {
		size = (len(values) + mostPoints/2 - 1) / (mostPoints / 2)
	}
	for from := 0; from < len(values); from += size {
		low, high := extremes(values, from, min(from+size, len(values)))
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

// extremes returns where the lowest and the highest finite value are; -1 for none.
func extremes(values []float64, from, to int) (low, high int) {
	low, high = -1, -1
	for i := from; i < to; i++ {
		if !report.Finite(values[i]) {
			continue
		}
		if low < 0 || values[i] < values[low] {
			low = i
		}
		if high < 0 || values[i] > values[high] {
			high = i
		}
	}
	return low, high
}

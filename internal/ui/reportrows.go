package ui

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/ui/chart"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// reportWriter gathers the rows of a report.
type reportWriter struct {
	*theme.Theme
	view  reportView
	width int
	rows  []string
}

func (w *reportWriter) add(row string) { w.rows = append(w.rows, w.Truncate(row, w.width)) }

func (w *reportWriter) paragraph(bullet, text string) {
	for _, row := range theme.Bulleted(bullet, text, w.width-4) {
		w.add("   " + row)
	}
}

// summary is the answer: the verdict, what it rests on, and where to look next.
func (w *reportWriter) summary() {
	r := w.view.result
	w.add("")
	left := " " + w.Verdict(strings.ToUpper(string(r.Verdict))) + "  " + w.Strong.Render(titleOf(r))
	right := w.counts()
	if r.Grade != "" {
		right += fmt.Sprintf("   score %.2f   grade %s", r.Score, r.Grade)
	}
	right += "   " + report.Clock(r.DurationSeconds) + " "
	if ansi.StringWidth(left)+ansi.StringWidth(right)+2 <= w.width {
		w.add(w.Justify(left, w.Muted.Render(right), w.width))
	} else {
		w.add(left)
		for _, line := range theme.Wrap(right, w.width-2) {
			w.add(" " + w.Muted.Render(strings.TrimSpace(line)))
		}
	}
	if err := w.view.err; err != nil {
		message, _, _ := strings.Cut(err.Error(), "\n")
		w.add("")
		w.paragraph(w.Fail.Render("!"), theme.Clean(message))
	}
	if c := r.Regression; c != nil {
		w.add("")
		w.paragraph(w.Verdict(c.Word()), regressionText(*c)+w.Muted.Render("  (c tells more)"))
	}
	w.problems()
	if len(r.Recommendations) > 0 || r.Verdict != report.Pass {
		w.add("")
		for _, text := range r.Recommendations {
			w.paragraph(w.Accent.Render("Look at:"), theme.Clean(text))
		}
		if command := w.again(); command != "" {
			w.paragraph(w.Muted.Render("Same run, profiles on:"), theme.Clean(command))
		}
	}
	if len(r.Scenarios) > 1 {
		w.add("")
		for _, sc := range r.Scenarios {
			w.add("   " + w.Pad(w.Verdict(strings.ToUpper(string(sc.Verdict))), 12) + " " + theme.Clean(cmp.Or(sc.Title, sc.Name)))
		}
	}
}

// mostProblems is how many of what is wrong are told before the details begin.
const mostProblems = 10

// problems gathers what is wrong in all steps, where there are several to look
// through.
func (w *reportWriter) problems() {
	var rows []reportRow
	steps := 0
	var broken, inconclusive []string
	for _, sc := range w.view.result.Scenarios {
		for _, step := range sc.Steps {
			steps++
			name := theme.Clean(step.Name)
			if len(w.view.result.Scenarios) > 1 {
				name = theme.Clean(sc.Name) + " " + w.Chevron + " " + name
			}
			if !step.Verdict.Whole() {
				text := w.Verdict(strings.ToUpper(string(step.Verdict))) + " " + name
				if why := step.Reason(); why != string(step.Verdict) {
					message, _, _ := strings.Cut(why, "\n")
					text += ": " + theme.Clean(message)
				}
				if step.Verdict == report.Inconclusive {
					inconclusive = append(inconclusive, text)
				} else {
					broken = append(broken, text)
				}
			}
			for _, row := range w.reportRows(sc, step) {
				if row.word == "FAIL" {
					row.name = name + " " + w.Chevron + " " + row.name
					rows = append(rows, row)
				}
			}
		}
	}
	if steps < 2 || len(rows)+len(broken)+len(inconclusive) == 0 {
		return
	}
	w.add("")
	for _, text := range broken[:min(len(broken), mostProblems)] {
		w.paragraph(w.Fail.Render("!"), text)
	}
	left := len(broken) + len(rows) + len(inconclusive) - mostProblems
	rows = rows[:min(len(rows), max(mostProblems-len(broken), 0))]
	for _, row := range w.tableOf(rows, w.width) {
		w.add(row)
	}
	for _, text := range inconclusive[:min(len(inconclusive), max(mostProblems-len(broken)-len(rows), 0))] {
		w.paragraph(w.Warn.Render("!"), text)
	}
	if left > 0 {
		w.add("   " + w.Muted.Render(fmt.Sprintf("%s and %d more below", w.Ellipsis, left)))
	}
}

// titleOf names what was run.
func titleOf(r *report.Report) string {
	switch len(r.Scenarios) {
	case 0:
		return "run"
	case 1:
		return theme.Clean(cmp.Or(r.Scenarios[0].Title, r.Scenarios[0].Name))
	}
	return fmt.Sprintf("%d scenarios", len(r.Scenarios))
}

// counts says how much of what was held against something failed.
func (w *reportWriter) counts() string {
	all, failed, undecided, warned := judged(w.view.result)
	if all == 0 && w.view.result.Verdict == report.Inconclusive {
		return "no conclusion"
	}
	if all == 0 {
		return "nothing was judged"
	}
	noun := "checks"
	if all == 1 {
		noun = "check"
	}
	text := fmt.Sprintf("%d of %d %s failed", failed, all, noun)
	switch {
	case failed == 0 && undecided > 0:
		text = fmt.Sprintf("%d of %d %s undecided", undecided, all, noun)
	case failed == 0 && all == 1:
		text = "the only check passed"
	case failed == 0:
		text = fmt.Sprintf("all %d checks passed", all)
	}
	if failed > 0 && undecided > 0 {
		text += fmt.Sprintf(", %d undecided", undecided)
	}
	if warned > 0 {
		text += fmt.Sprintf(", %d near", warned)
	}
	return text
}

// judged counts what was held against something. Whatever the checks of an inconclusive
// step say, it is not about the system.
func judged(r *report.Report) (all, failed, undecided, warned int) {
	for _, sc := range r.Scenarios {
		for _, step := range sc.Steps {
			if step.Verdict == report.Inconclusive {
				continue
			}
			for _, m := range step.Metrics {
				switch {
				case m.Undecided != "":
					undecided++
				case m.Status == report.StatusFail:
					failed++
				case m.Status == report.StatusWarn:
					warned++
				case m.Status == report.StatusInfo:
					continue
				}
				all++
			}
			for _, t := range step.Thresholds {
				all++
				if !t.OK {
					failed++
				}
			}
		}
	}
	return all, failed, undecided, warned
}

// again is a command for the same run that also says where its time goes. A run
// that was never told of has none.
func (w *reportWriter) again() string {
	r := w.view.result
	if len(r.Command) == 0 || len(r.Scenarios) == 0 {
		return ""
	}
	words := slices.Clone(r.Command)
	add := func(more ...string) {
		if !slices.Contains(words, more[0]) || len(more) > 1 {
			words = append(words, more...)
		}
	}
	add("--headless")
	for _, sc := range r.Scenarios {
		add(sc.Name)
	}
	add("--cpuprofile", "cpu.pprof")
	for i := range words {
		words[i] = report.ShellWord(words[i])
	}
	return strings.Join(words, " ")
}

// step writes one step: its table and, beside or below it, what else is known.
func (w *reportWriter) step(sc report.Scenario, step report.Step) {
	w.add("")
	info := theme.Clean(step.Measurement)
	if n := step.RepetitionCount(); n > 1 {
		info += fmt.Sprintf("  %d repetitions", n)
	}
	if step.Steered {
		info += "  " + w.Warn.Render("steered by hand") + w.Muted.Render(" ")
	}
	info += "  " + report.Clock(step.DurationSeconds)
	title := w.Verdict(strings.ToUpper(string(step.Verdict))) + " " + w.Strong.Render(theme.Clean(sc.Name)+" "+w.Chevron+" "+theme.Clean(step.Name))
	w.add(widget.Heading(w.Theme, title, w.Muted.Render(info), w.width))
	if step.Verdict == report.Inconclusive {
		w.paragraph(w.Warn.Render("Why:"), theme.Clean(step.Reason()))
	}
	if w.width < wideReport {
		for _, row := range slices.Concat(w.tableOf(w.reportRows(sc, step), w.width), w.more(step, w.width)) {
			w.add(row)
		}
		return
	}
	left := w.width * 58 / 100
	table, more := w.tableOf(w.reportRows(sc, step), left), w.more(step, w.width-left)
	for i := range max(len(table), len(more)) {
		l, r := "", ""
		if i < len(table) {
			l = table[i]
		}
		if i < len(more) {
			r = more[i]
		}
		w.add(w.Pad(l, left) + r)
	}
}

// wideReport is from how many columns on a report has two columns.
const wideReport = 150

// A reportRow is one metric or threshold of a step.
type reportRow struct {
	word, name, value, against, share string
	bar, spread                       string
	// notes say when it was worst.
	notes string
}

// reportRows returns a row for each threshold and metric, the worst first.
func (w *reportWriter) reportRows(sc report.Scenario, step report.Step) []reportRow {
	course := w.view.course.StepCourse(sc.Name, step.Name)
	var list []reportRow
	for _, t := range step.Thresholds {
		list = append(list, w.threshold(t, step, course))
	}
	exact := 0
	for _, name := range slices.Sorted(maps.Keys(step.Metrics)) {
		row := w.metric(name, step, course)
		of := slices.IndexFunc(step.Thresholds, func(t report.Threshold) bool { return t.Metric == name && t.WindowSeconds == nil })
		if of >= 0 && row.word == "INFO" {
			list[of].spread = row.spread // its threshold has the row
			continue
		}
		if m := step.Metrics[name]; row.word == "PASS" && m.Must != "" && m.Baseline == nil && m.Floor == nil {
			exact++
			continue
		}
		list = append(list, row)
	}
	if exact > 0 {
		list = append(list, reportRow{word: "PASS", name: report.ExactConditions(exact)})
	}
	order := []string{"FAIL", theme.Undecided, "WARN", "PASS", "EXCEED", "INFO"}
	slices.SortStableFunc(list, func(a, b reportRow) int {
		return cmp.Compare(slices.Index(order, a.word), slices.Index(order, b.word))
	})
	return list
}

// tableOf draws rows in columns.
func (w *reportWriter) tableOf(list []reportRow, width int) []string {
	word, name, value, against, share, spread := 6, 12, 11, 0, 9, 0
	for _, r := range list {
		word = max(word, len(r.word))
		value = max(value, min(theme.Width(r.value), 12))
		spread = max(spread, theme.Width(r.spread))
		if r.value != "" {
			name = max(name, theme.Width(r.name))
		}
		against = max(against, theme.Width(r.against))
		share = max(share, theme.Width(r.share))
	}
	columns := []widget.Column{
		{Width: word},
		{Gap: 1, Width: min(name, 24), Most: name},
		{Gap: 1, Width: value, Right: true},
		{Gap: 2, Width: against, Rank: 1},
		{Gap: 2, Width: share, Right: true, Rank: 2},
		{Gap: 2, Width: widget.BarWidth, Rank: 3},
	}
	if spread > 0 {
		columns = append(columns, widget.Column{Gap: 2, Width: spread, Rank: 4})
	}
	layout := widget.Table{Columns: columns, Indent: 3, Greedy: true}.Fit(width)
	var rows []string
	for _, r := range list {
		row := widget.Row{Cells: []string{w.Verdict(r.word), r.name, r.value, w.Muted.Render(r.against), r.share, r.bar, r.spread}, Note: r.notes}
		if r.value == "" {
			row.Text = r.name
		}
		rows = append(rows, layout.Row(w.Theme, row)...)
	}
	return rows
}

func (w *reportWriter) threshold(t report.Threshold, step report.Step, course report.StepCourse) reportRow {
	m, _, _ := report.Find(step.Metrics, t.Metric)
	row := reportRow{word: "PASS", name: theme.Clean(t.Metric), value: "not measured", against: "limit " + report.InUnit(theme.Clean(t.Condition), m.Unit), share: t.OverOrUnder()}
	if !t.OK {
		row.word = "FAIL"
	}
	if t.Actual != nil {
		row.value = report.Quantity(*t.Actual, m.Unit)
	}
	row.notes = course.Worst(t)
	if t.Actual == nil {
		row.notes = theme.Clean(step.Remark(t.Metric))
	}
	return row
}

func (w *reportWriter) metric(name string, step report.Step, course report.StepCourse) reportRow {
	m := step.Metrics[name]
	row := reportRow{word: statusWord(m), name: theme.Clean(name), value: theme.Clean(m.Text()), spread: w.spread(m)}
	notes := []string{theme.Clean(step.Remark(name))}
	shown, held := m.Shown()
	if held {
		row.against = string(shown.Kind) + " " + theme.Clean(shown.Against)
	}
	if held && row.word != "PASS" && row.word != "EXCEED" {
		for _, s := range m.Standards() {
			switch {
			case s.Kind != shown.Kind:
				notes = append(notes, "also held against "+theme.Clean(s.Text()))
			case s.Basis != "":
				notes = append(notes, theme.Clean(s.Basis))
			}
		}
	}
	if shown.Kind == report.KindBaseline && m.Deviation != nil {
		row.share = theme.Signed(*m.Deviation)
		row.bar = widget.DeviationBar(w.Theme, *m.Deviation, m.Status)
	}
	if row.word == "FAIL" && shown.Kind == report.KindBaseline {
		notes = append(notes, course.WorstOfBaseline(name))
	}
	row.notes = strings.Join(slices.DeleteFunc(notes, func(text string) bool { return text == "" }), "; ")
	return row
}

// spread shows the repetitions as a small chart and by how much they differ.
// It is scaled by the tolerance of a baseline, 20 % where there is none, so that
// what looks rough is rough.
func (w *reportWriter) spread(m report.Metric) string {
	middle, ok := m.Value.(float64)
	if !ok || len(m.Samples) < 2 {
		return ""
	}
	const most = 8
	tolerance := 0.2
	if m.Tolerance != nil && *m.Tolerance > 0 {
		tolerance = *m.Tolerance
	}
	var bars strings.Builder
	n := min(len(m.Samples), most)
	for i := range n {
		v := m.Samples[i*len(m.Samples)/n]
		at := 0.5
		if middle != 0 {
			at = 0.5 + (v-middle)/math.Abs(middle)/(2*tolerance)
		}
		last := len(w.Sparks) - 1
		bars.WriteRune(w.Sparks[min(max(int(math.Round(at*float64(last))), 0), last)])
	}
	text := w.Spark.Render(bars.String())
	if share, ok := m.Spread(); ok {
		text += w.Muted.Render(" ±" + theme.Approx(share))
	}
	return text
}

// more returns what is known of a step besides its table: distributions, what
// the load came to, faults, errors, and where to look.
func (w *reportWriter) more(step report.Step, width int) []string {
	var rows []string
	for _, name := range distributions(step) {
		rows = append(rows, "")
		rows = append(rows, w.distribution(name, step.Metrics[name], step.Thresholds, width)...)
	}
	if o := step.Operations; o.Attempted > 0 {
		rows = append(rows, "")
		rows = append(rows, w.indented(theme.Bulleted(w.Muted.Render("operations"), fmt.Sprintf("%s attempted: %s succeeded, %s failed, %s dropped",
			report.Quantity(float64(o.Attempted), theme.Count), report.Quantity(float64(o.Succeeded), theme.Count),
			report.Quantity(float64(o.Failed), theme.Count), report.Quantity(float64(o.Dropped), theme.Count)), width-4))...)
	}
	for _, f := range step.Faults {
		rows = append(rows, w.indented(theme.Bulleted(w.Warn.Render(string(w.Fault))+w.Muted.Render(" fault"), theme.Clean(f.Text()), width-4))...)
	}
	for _, e := range step.SortedErrors() {
		when := "at " + report.Clock(e.FirstAtSeconds)
		if e.Count > 1 {
			when = fmt.Sprintf("%s times, first %s", report.Quantity(float64(e.Count), theme.Count), when)
		}
		message, _, _ := strings.Cut(e.Message, "\n")
		bullet := w.Fail.Render("!")
		switch e.Kind {
		case report.Finding, report.Unmeasured:
			bullet = w.Fail.Render("! " + e.Label() + ":")
		case report.Detail, report.Note:
			bullet = w.Muted.Render(e.Label() + ":")
		}
		rows = append(rows, w.indented(theme.Bulleted(bullet, theme.Clean(message)+w.Muted.Render(" ("+when+")"), width-4))...)
	}
	for i, text := range step.Recommendations {
		if i == 0 && step.Verdict == report.Inconclusive {
			continue // its first line says it
		}
		rows = append(rows, w.indented(theme.Bulleted(w.Accent.Render("Look at:"), theme.Clean(text), width-4))...)
	}
	return rows
}

func (w *reportWriter) indented(rows []string) []string {
	for i := range rows {
		rows[i] = "   " + rows[i]
	}
	return rows
}

// distributions returns the metrics that have one, those with a threshold
// first.
func distributions(step report.Step) []string {
	var names []string
	limited := func(name string) bool {
		return slices.ContainsFunc(step.Thresholds, func(t report.Threshold) bool { return strings.HasPrefix(t.Metric, name) })
	}
	for name, m := range step.Metrics {
		if m.Distribution != nil && m.Distribution.Count > 0 {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if x, y := limited(a), limited(b); x != y {
			if x {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	return names
}

// distribution draws one, with the limits that it is held against.
func (w *reportWriter) distribution(name string, m report.Metric, thresholds []report.Threshold, width int) []string {
	d := *m.Distribution
	rows := []string{"   " + w.Strong.Render(theme.Clean(name)) + w.Muted.Render("  of "+report.Quantity(float64(d.Count), theme.Count)+" operations")}
	var limits []chart.ValueMark
	for _, t := range thresholds {
		stat, ok := strings.CutPrefix(t.Metric, name+".")
		if limit, known := t.Limit(); ok && known {
			limits = append(limits, chart.ValueMark{Value: limit, Label: "limit " + theme.Clean(stat)})
		}
	}
	height := 3
	if width >= 100 {
		height = 4
	}
	bars := chart.Histogram(w.Theme, d, limits, min(width-6, 72), height)
	if width < 44 {
		bars = nil
	}
	return append(append(rows, w.indented(bars)...), w.indented(chart.Quantiles(w.Theme, d, m.Unit, width-4))...)
}

package ui

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/report/format"
)

// reportWriter gathers the rows of a report.
type reportWriter struct {
	*styles
	view  reportView
	width int
	rows  []string
}

func (w *reportWriter) add(row string) { w.rows = append(w.rows, w.cut(row, w.width)) }

// bulleted returns a text in as many rows as it needs, the first behind a
// bullet.
func (s *styles) bulleted(bullet, text string, width int) []string {
	lead := ansi.StringWidth(bullet) + 1
	var rows []string
	for i, line := range s.wrap(text, max(width-lead, 10)) {
		if i > 0 {
			bullet = spaces(lead - 1)
		}
		rows = append(rows, bullet+" "+line)
	}
	return rows
}

func (w *reportWriter) paragraph(bullet, text string) {
	for _, row := range w.bulleted(bullet, text, w.width-4) {
		w.add("   " + row)
	}
}

// summary is the answer: the verdict, what it rests on, and where to look next.
func (w *reportWriter) summary() {
	r := w.view.result
	w.add("")
	left := " " + w.word(strings.ToUpper(string(r.Verdict))) + "  " + w.strong.on(titleOf(r))
	right := w.counts()
	if r.Grade != "" {
		right += fmt.Sprintf("   score %.2f   grade %s", r.Score, r.Grade)
	}
	right += "   " + quantity.Clock(r.DurationSeconds) + " "
	if ansi.StringWidth(left)+ansi.StringWidth(right)+2 <= w.width {
		w.add(w.ends(left, w.muted.on(right), w.width))
	} else {
		w.add(left)
		for _, line := range w.wrap(right, w.width-2) {
			w.add(" " + w.muted.on(strings.TrimSpace(line)))
		}
	}
	if err := w.view.err; err != nil {
		message, _, _ := strings.Cut(err.Error(), "\n")
		w.add("")
		w.paragraph(w.fail.on("!"), clean(message))
	}
	if c := r.Regression; c != nil {
		w.add("")
		w.paragraph(w.word(c.Word()), regressionText(*c)+w.muted.on("  (c tells more)"))
	}
	w.problems()
	if len(r.Recommendations) > 0 || r.Verdict != report.Pass {
		w.add("")
		for _, text := range r.Recommendations {
			w.paragraph(w.accent.on("Look at:"), clean(text))
		}
		if command := w.again(); command != "" {
			w.paragraph(w.muted.on("Same run, profiles on:"), clean(command))
		}
	}
	if len(r.Scenarios) > 1 {
		w.add("")
		for _, sc := range r.Scenarios {
			w.add("   " + w.pad(w.word(strings.ToUpper(string(sc.Verdict))), 12) + " " + clean(cmp.Or(sc.Title, sc.Name)))
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
			name := clean(step.Name)
			if len(w.view.result.Scenarios) > 1 {
				name = clean(sc.Name) + " " + w.chevron + " " + name
			}
			if !step.Verdict.Conclusive() {
				text := w.word(strings.ToUpper(string(step.Verdict))) + " " + name
				if why := step.Reason(); why != string(step.Verdict) {
					message, _, _ := strings.Cut(why, "\n")
					text += ": " + clean(message)
				}
				if step.Verdict == report.Inconclusive {
					inconclusive = append(inconclusive, text)
				} else {
					broken = append(broken, text)
				}
			}
			for _, row := range w.reportRows(sc, step) {
				if row.word == "FAIL" {
					row.name = name + " " + w.chevron + " " + row.name
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
		w.paragraph(w.fail.on("!"), text)
	}
	left := len(broken) + len(rows) + len(inconclusive) - mostProblems
	rows = rows[:min(len(rows), max(mostProblems-len(broken), 0))]
	for _, row := range w.tableOf(rows, w.width) {
		w.add(row)
	}
	for _, text := range inconclusive[:min(len(inconclusive), max(mostProblems-len(broken)-len(rows), 0))] {
		w.paragraph(w.warn.on("!"), text)
	}
	if left > 0 {
		w.add("   " + w.muted.on(fmt.Sprintf("%s and %d more below", w.ellipsis, left)))
	}
}

// titleOf names what was run.
func titleOf(r *report.Report) string {
	switch len(r.Scenarios) {
	case 0:
		return "run"
	case 1:
		return clean(cmp.Or(r.Scenarios[0].Title, r.Scenarios[0].Name))
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
		words[i] = format.ShellWord(words[i])
	}
	return strings.Join(words, " ")
}

// step writes one step: its table and, beside or below it, what else is known.
func (w *reportWriter) step(sc report.Scenario, step report.Step) {
	w.add("")
	info := clean(step.Measurement)
	if n := step.RepetitionCount(); n > 1 {
		info += fmt.Sprintf("  %d repetitions", n)
	}
	if step.Steered {
		info += "  " + w.warn.on("steered by hand") + w.muted.on(" ")
	}
	info += "  " + quantity.Clock(step.DurationSeconds)
	title := w.word(strings.ToUpper(string(step.Verdict))) + " " + w.strong.on(clean(sc.Name)+" "+w.chevron+" "+clean(step.Name))
	w.add(w.rule(w.horizontal, w.horizontal, title, w.muted.on(info), w.width, false))
	if step.Verdict == report.Inconclusive {
		w.paragraph(w.warn.on("Why:"), clean(step.Reason()))
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
		w.add(w.pad(l, left) + r)
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
	course := w.view.course.ForStep(sc.Name, step.Name)
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
		if m := step.Metrics[name]; row.word == "PASS" && m.Condition != "" && m.Baseline == nil && m.Floor == nil {
			exact++
			continue
		}
		list = append(list, row)
	}
	if exact > 0 {
		list = append(list, reportRow{word: "PASS", name: format.ConditionsMet(exact)})
	}
	order := []string{"FAIL", wordUndecided, "WARN", "PASS", "EXCEED", "INFO"}
	slices.SortStableFunc(list, func(a, b reportRow) int {
		return cmp.Compare(slices.Index(order, a.word), slices.Index(order, b.word))
	})
	return list
}

// tableOf draws rows in columns.
func (w *reportWriter) tableOf(list []reportRow, width int) []string {
	word, value := 6, 11
	names, against, share, spread := 12, 0, 9, 0
	for _, r := range list {
		word = max(word, len(r.word))
		value = max(value, min(ansi.StringWidth(r.value), 12))
		spread = max(spread, ansi.StringWidth(r.spread))
		if r.value != "" {
			names = max(names, ansi.StringWidth(r.name))
		}
		against = max(against, ansi.StringWidth(r.against))
		share = max(share, ansi.StringWidth(r.share))
	}
	// What there is no room for is left out, the least important first.
	room := width - 3 - word - 1 - value - 1 - min(names, 24)
	take := func(columns int) bool {
		if room < columns {
			return false
		}
		room -= columns
		return true
	}
	withAgainst := take(against + 2)
	withShare := take(share + 2)
	withBar := take(barWidth + 2)
	withSpread := spread > 0 && take(spread+2)
	names = min(names, 24+max(room, 0))
	room -= names - min(names, 24)
	var rows []string
	for _, r := range list {
		if r.value == "" { // it stands alone
			rows = append(rows, "   "+w.pad(w.word(r.word), word)+" "+r.name)
			continue
		}
		row := "   " + w.pad(w.word(r.word), word) + " " + w.pad(r.name, names) + " " + w.padLeft(r.value, value)
		if withAgainst {
			row += "  " + w.muted.on(w.pad(r.against, against))
		}
		if withShare {
			row += "  " + w.padLeft(r.share, share)
		}
		if withBar {
			row += "  " + w.pad(r.bar, barWidth)
		}
		if withSpread {
			row += "  " + w.pad(r.spread, spread)
		}
		if r.notes != "" && ansi.StringWidth(r.notes)+2 <= room {
			row += "  " + w.muted.on(r.notes)
			r.notes = ""
		}
		rows = append(rows, row)
		if r.notes != "" {
			for _, line := range w.wrap(r.notes, width-3-word-1) {
				rows = append(rows, spaces(3+word+1)+w.muted.on(line))
			}
		}
	}
	return rows
}

func (w *reportWriter) threshold(t report.Threshold, step report.Step, course report.StepTimeline) reportRow {
	m, _, _ := report.FindMetric(step.Metrics, t.Metric)
	row := reportRow{word: "PASS", name: clean(t.Metric), value: "not measured", against: "limit " + quantity.Condition(clean(t.Condition), m.Unit), share: t.Difference()}
	if !t.OK {
		row.word = "FAIL"
	}
	if t.Actual != nil {
		row.value = quantity.Format(*t.Actual, m.Unit)
	}
	row.notes = course.WorstOfThreshold(t)
	if t.Actual == nil {
		row.notes = clean(step.Remark(t.Metric))
	}
	return row
}

func (w *reportWriter) metric(name string, step report.Step, course report.StepTimeline) reportRow {
	m := step.Metrics[name]
	row := reportRow{word: statusWord(m), name: clean(name), value: clean(m.Text()), spread: w.spread(m)}
	notes := []string{clean(step.Remark(name))}
	shown, held := m.MainCheck()
	if held {
		row.against = string(shown.Kind) + " " + clean(shown.Limit)
	}
	if held && row.word != "PASS" && row.word != "EXCEED" {
		for _, s := range m.Checks() {
			switch {
			case s.Kind != shown.Kind:
				notes = append(notes, "also held against "+clean(s.Text()))
			case s.Basis != "":
				notes = append(notes, clean(s.Basis))
			}
		}
	}
	if shown.Kind == report.KindBaseline && m.Deviation != nil {
		row.share = signed(*m.Deviation)
		row.bar = w.deviationBar(*m.Deviation, m.Status)
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
	var chart strings.Builder
	n := min(len(m.Samples), most)
	for i := range n {
		v := m.Samples[i*len(m.Samples)/n]
		at := 0.5
		if middle != 0 {
			at = 0.5 + (v-middle)/math.Abs(middle)/(2*tolerance)
		}
		last := len(w.sparks) - 1
		chart.WriteRune(w.sparks[min(max(int(math.Round(at*float64(last))), 0), last)])
	}
	text := w.spark.on(chart.String())
	if share, ok := m.Spread(); ok {
		text += w.muted.on(" ±" + roughly(share))
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
		rows = append(rows, w.indented(w.bulleted(w.muted.on("operations"), fmt.Sprintf("%s attempted: %s succeeded, %s failed, %s dropped",
			quantity.Format(float64(o.Attempted), count), quantity.Format(float64(o.Succeeded), count),
			quantity.Format(float64(o.Failed), count), quantity.Format(float64(o.Dropped), count)), width-4))...)
	}
	for _, f := range step.Faults {
		rows = append(rows, w.indented(w.bulleted(w.warn.on(string(w.fault))+w.muted.on(" fault"), clean(f.Text()), width-4))...)
	}
	for _, e := range step.SortedErrors() {
		when := "at " + quantity.Clock(e.FirstAtSeconds)
		if e.Count > 1 {
			when = fmt.Sprintf("%s times, first %s", quantity.Format(float64(e.Count), count), when)
		}
		message, _, _ := strings.Cut(e.Message, "\n")
		bullet := w.fail.on("!")
		switch e.Kind {
		case report.Finding, report.Unmeasured:
			bullet = w.fail.on("! " + e.Label() + ":")
		case report.Detail, report.Note:
			bullet = w.muted.on(e.Label() + ":")
		}
		rows = append(rows, w.indented(w.bulleted(bullet, clean(message)+w.muted.on(" ("+when+")"), width-4))...)
	}
	for i, text := range step.Recommendations {
		if i == 0 && step.Verdict == report.Inconclusive {
			continue // its first line says it
		}
		rows = append(rows, w.indented(w.bulleted(w.accent.on("Look at:"), clean(text), width-4))...)
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
	rows := []string{"   " + w.strong.on(clean(name)) + w.muted.on("  of "+quantity.Format(float64(d.Count), count)+" operations")}
	var limits []tickMark
	for _, t := range thresholds {
		stat, ok := strings.CutPrefix(t.Metric, name+".")
		if limit, known := t.Limit(); ok && known {
			limits = append(limits, tickMark{value: limit, label: "limit " + clean(stat)})
		}
	}
	height := 3
	if width >= 100 {
		height = 4
	}
	chart := w.histogram(d, limits, min(width-6, 72), height)
	if width < 44 {
		chart = nil
	}
	return append(append(rows, w.indented(chart)...), w.indented(w.quantiles(d, m.Unit, width-4))...)
}

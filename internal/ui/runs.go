package ui

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// A pastRun is one line of the screen of past runs.
type pastRun struct {
	report.Run
	// names are those of its scenarios.
	names string
	// figures are what it measured.
	figures map[metricKey]figureOfRun
	// bytes is the size of the recording of a run without a report.
	bytes int64
}

// id tells one line from another.
func (p pastRun) id() string { return p.Path + p.Recording }

// stray says that there is only a recording, and no report.
func (p pastRun) stray() bool { return p.Path == "" }

// runs is the screen of past runs.
type runs struct {
	all []pastRun
	// shown are the entries that match the filter: indices of all.
	shown  []int
	cursor int
	// marked are ids, in the order in which they were marked: two at most.
	marked []string
	filter widget.Filter
	// metric is the one whose trend is drawn.
	metric metricKey
	loaded bool
	// seek is the scenario whose newest run the cursor goes to when the list
	// has been read.
	seek string
}

// openRuns goes to the past runs, and reads them.
func (m *model) openRuns() tea.Cmd {
	m.screen = runsScreen
	if m.cfg.Store == nil {
		m.runs.loaded = true
		return nil
	}
	store := *m.cfg.Store
	return work(func() result {
		all, warnings, err := readRuns(store)
		if err != nil {
			return m.failed(err)
		}
		return func() tea.Cmd {
			m.runs.setData(all)
			if len(warnings) > 0 {
				m.notice = notice{text: fmt.Sprintf("%d past runs cannot be read; the first: %v", len(warnings), warnings[0]), bad: true}
			}
			return nil
		}
	})
}

// readRuns reads all that is stored, the newest first.
func readRuns(store report.Store) (all []pastRun, warnings []error, err error) {
	list, warnings, err := store.List()
	if err != nil {
		return nil, nil, err
	}
	for _, run := range list {
		r, err := report.Load(run.Path)
		if errors.Is(err, os.ErrNotExist) {
			continue // another process has removed it
		} else if err != nil {
			warnings = append(warnings, err)
			continue
		}
		all = append(all, pastRun{Run: run, names: scenarioNames(run), figures: figuresOf(r)})
	}
	strays, err := store.Strays()
	if err != nil {
		return nil, nil, err
	}
	for _, file := range strays {
		p := pastRun{Run: report.Run{StartedAt: file.StartedAt, Recording: file.Path}, names: "a recording without a report", bytes: file.Bytes}
		if run := firstEvent(file.Path); run != nil {
			p.names = strings.Join(run.Scenarios, ", ")
			for _, name := range run.Scenarios {
				p.Scenarios = append(p.Scenarios, report.RunScenario{Name: name})
			}
		}
		all = append(all, p)
	}
	slices.SortStableFunc(all, func(a, b pastRun) int { return b.StartedAt.Compare(a.StartedAt) })
	return all, warnings, nil
}

// firstEvent returns what a recording begins with; nil if it cannot be read.
func firstEvent(path string) *stream.Run {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	e, err := stream.NewReader(file).Read()
	if err := errors.Join(err, file.Close()); err != nil {
		return nil
	}
	return e.Run
}

// setData takes the list, and keeps the cursor where it was.
func (r *runs) setData(all []pastRun) {
	id := ""
	if len(r.shown) > 0 {
		id = r.under().id()
	}
	r.all, r.loaded = all, true
	r.applyFilter(id)
	r.marked = slices.DeleteFunc(slices.Clone(r.marked), func(id string) bool {
		return !slices.ContainsFunc(all, func(p pastRun) bool { return p.id() == id })
	})
	if r.seek != "" {
		for i, index := range r.shown {
			if slices.ContainsFunc(all[index].Scenarios, func(s report.RunScenario) bool { return s.Name == r.seek }) {
				r.cursor = i
				break
			}
		}
		r.seek = ""
	}
	r.chooseMetric(0)
}

// applyFilter shows what matches the filter, with the cursor on that entry if
// it does.
func (r *runs) applyFilter(id string) {
	old := r.cursor
	r.shown, r.cursor = nil, 0
	for i, p := range r.all {
		if r.filter.Matches(p.words()...) {
			if p.id() == id {
				r.cursor = len(r.shown)
			}
			r.shown = append(r.shown, i)
		}
	}
	if r.cursor == 0 && id != "" && len(r.shown) > 0 && r.all[r.shown[0]].id() != id {
		r.cursor = min(old, len(r.shown)-1) // it is gone: its neighbour
	}
}

// words are what a filter looks through.
func (p pastRun) words() []string {
	words := []string{p.names, string(p.Verdict), p.StartedAt.Local().Format("2006-01-02 15:04")}
	for _, s := range p.Scenarios {
		words = append(words, s.Title)
	}
	if p.Recording != "" {
		words = append(words, "recording")
	}
	return words
}

// under is the run under the cursor; there must be one.
func (r *runs) under() pastRun { return r.all[r.shown[r.cursor]] }

func (r *runs) move(by int) {
	r.cursor = min(max(r.cursor+by, 0), max(len(r.shown)-1, 0))
	r.chooseMetric(0)
}

// mark marks the run under the cursor, or takes its mark away. Of more than two
// the one marked first loses its mark.
func (r *runs) mark() {
	id := r.under().id()
	if i := slices.Index(r.marked, id); i >= 0 {
		r.marked = slices.Delete(slices.Clone(r.marked), i, i+1)
		return
	}
	r.marked = append(slices.Clone(r.marked), id)
	r.marked = r.marked[max(len(r.marked)-2, 0):]
}

// pair returns the two that are marked, the older first.
func (r *runs) pair() (before, now pastRun, ok bool) {
	var found []pastRun
	for _, p := range r.all { // the newest first
		if slices.Contains(r.marked, p.id()) && !p.stray() {
			found = append(found, p)
		}
	}
	if len(found) != 2 {
		return pastRun{}, pastRun{}, false
	}
	return found[1], found[0], true
}

func (m *model) runsActions() []action {
	if m.runs.filter.Typing {
		return []action{
			act(keyAccept, func() { m.runs.filter.Typing = false }),
			act(keyClear, func() {
				m.runs.filter.Typing = false
				m.clearRunsFilter()
			}),
		}
	}
	out := scrolls(func() int { return max(m.bodyHeight()/2, 1) }, func(by int) { m.runs.move(by) })
	if len(m.runs.shown) > 0 {
		p := m.runs.under()
		if !p.stray() {
			out = append(out, action{keyOpen, func() tea.Cmd { return m.openReport(m.runs.under()) }})
		}
		if p.Recording != "" {
			out = append(out, action{keyReplay, func() tea.Cmd {
				m.home = runsScreen
				return m.loadReplay(m.runs.under().Recording)
			}})
		}
		out = append(out, act(keyMark, func() { m.runs.mark() }))
		if m.cfg.Compare != nil && !p.stray() {
			out = append(out, action{keyCompare, m.compareRuns})
		}
		if len(m.runs.metrics()) > 1 {
			out = append(out, act(keyNextMetric, func() { m.runs.chooseMetric(1) }), act(keyPreviousMetric, func() { m.runs.chooseMetric(-1) }))
		}
		out = append(out, action{keyDelete, m.askToDelete})
	}
	out = append(out, act(keyFilter, func() { m.runs.filter.Typing = true }))
	switch {
	case !m.runs.filter.Empty():
		return append(out, act(keyClear, m.clearRunsFilter))
	case len(m.runs.marked) > 0:
		return append(out, act(keyUnmark, func() { m.runs.marked = nil }))
	}
	return append(out, act(keyMenu, func() { m.screen = menuScreen }))
}

func (m *model) clearRunsFilter() {
	id := ""
	if len(m.runs.shown) > 0 {
		id = m.runs.under().id()
	}
	m.runs.filter = widget.Filter{}
	m.runs.applyFilter(id)
	m.runs.chooseMetric(0)
}

func (m *model) typeInRunsFilter(msg tea.KeyMsg) {
	id := ""
	if len(m.runs.shown) > 0 {
		id = m.runs.under().id()
	}
	m.runs.filter.Text.Press(msg)
	m.runs.applyFilter(id)
	m.runs.chooseMetric(0)
}

// openReport reads the report of a past run and shows it.
func (m *model) openReport(p pastRun) tea.Cmd {
	return work(func() result {
		r, err := report.Load(p.Path)
		if err != nil {
			return m.failed(err)
		}
		return func() tea.Cmd {
			m.home = runsScreen
			m.showReport(reportView{result: &r, order: m.menu.orderOf(r), recording: p.Recording})
			return nil
		}
	})
}

// compareRuns compares the two that are marked, or asks what the one under the
// cursor is to be compared with.
func (m *model) compareRuns() tea.Cmd {
	before, now, ok := m.runs.pair()
	if !ok {
		now = m.runs.under()
	}
	return work(func() result {
		r, err := report.Load(now.Path)
		if err != nil {
			return m.failed(err)
		}
		return func() tea.Cmd {
			if !ok {
				return m.chooseEarlier(r)
			}
			return m.compare(r, func() (string, report.Report, error) {
				earlier, err := report.Load(before.Path)
				return "the run of " + theme.Timestamp(before.StartedAt), earlier, err
			}, false)
		}
	})
}

// askToDelete asks before a past run is removed.
func (m *model) askToDelete() tea.Cmd {
	p := m.runs.under()
	what := "the report"
	switch {
	case p.stray():
		what = "the recording"
	case p.Recording != "":
		what = "the report and the recording"
	}
	store := *m.cfg.Store
	m.dialog = ask(fmt.Sprintf("Delete %s of %s, %s?", what, p.names, theme.Timestamp(p.StartedAt)), "delete? y/n", func() tea.Cmd {
		return work(func() result {
			if err := store.Delete(p.Path, p.Recording); err != nil {
				return m.failed(err)
			}
			return func() tea.Cmd {
				cmd := m.openRuns()
				m.notify("deleted %s of %s", what, theme.Timestamp(p.StartedAt))
				return cmd
			}
		})
	})
	return nil
}

// orderOf is what would run a report's scenarios again with its parameters, as
// far as they differ from those of the menu.
func (m menu) orderOf(r report.Report) Order {
	o := Order{Settings: map[string]Settings{}}
	for _, sc := range r.Scenarios {
		o.Scenarios = append(o.Scenarios, sc.Name)
		settings := Settings{}
		repeat := 0
		for _, step := range sc.Steps {
			for name, v := range step.Params {
				settings[step.Name+"."+name] = notation(v)
			}
			n := step.RepetitionCount()
			if repeat > 0 && n != repeat {
				repeat = -1 // they differ: that is the scenario's business
			} else if repeat == 0 {
				repeat = n
			}
		}
		if repeat > 0 {
			settings["repeat"] = fmt.Sprint(repeat)
		}
		settings["seed"] = fmt.Sprint(r.Seed)
		for _, f := range m.fieldsOf(sc.Name) {
			if v, ok := settings[f.Name]; ok && strings.ReplaceAll(v, " ", "") == strings.ReplaceAll(f.Value, " ", "") {
				delete(settings, f.Name)
			}
		}
		o.Settings[sc.Name] = settings
	}
	return o
}

// notation writes a parameter of a report as a scenario file would.
func notation(v any) string {
	if s, ok := v.(string); ok && s != "" && !strings.ContainsAny(s, ":#{}[],&*!|>'\"%@`") {
		return s
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// summary says what there is.
func (r runs) summary() string {
	text := fmt.Sprintf("%d past runs", len(r.all))
	if !r.filter.Empty() {
		text = fmt.Sprintf("%d of %d past runs", len(r.shown), len(r.all))
	}
	if n := len(r.marked); n == 1 {
		text += "   1 marked"
	} else if n > 1 {
		text += fmt.Sprintf("   %d marked: c compares them", n)
	}
	return text
}

// view draws the list and the trend of one metric.
func (r *runs) view(s *theme.Theme, width, height int) []string {
	list := func(width, height int) []string {
		return widget.Panel{Title: s.Strong.Render("Past runs"), Notes: r.filter.Note(s), Rows: r.list(s, width-2, height-2), Focused: true}.Draw(s, width, height)
	}
	switch {
	case width < 60 || height < 14:
		return r.list(s, width, height)
	case width < 110:
		top := max(min(len(r.shown)+2, height*45/100), 6)
		return slices.Concat(list(width, top), r.trendPanel(s, width, height-top))
	}
	left := min(max(width*45/100, 58), 84)
	trend := r.trendPanel(s, width-left, max(height*45/100, 12))
	return widget.Beside(list(left, height), slices.Concat(trend, r.metricsPanel(s, width-left, height-len(trend))))
}

// list draws the runs, with the cursor always in sight.
func (r *runs) list(s *theme.Theme, width, height int) []string {
	if height < 1 {
		return nil
	}
	if len(r.shown) == 0 {
		text := "no past run matches the filter"
		switch {
		case !r.loaded:
			text = "reading the past runs"
		case len(r.all) == 0:
			text = "nothing was run so far"
		}
		return []string{" " + s.Muted.Render(text)}
	}
	top := min(max(r.cursor-height/2, 0), max(len(r.shown)-height, 0))
	var rows []string
	for i, index := range r.shown[top:min(top+height, len(r.shown))] {
		rows = append(rows, r.entry(s, r.all[index], top+i == r.cursor, width))
	}
	return rows
}

func (r *runs) entry(s *theme.Theme, p pastRun, under bool, width int) string {
	cursor, name := " ", theme.Clean(p.names)
	if under {
		cursor, name = s.Cursor.Render(s.CursorMark), s.Cursor.Render(name)
	}
	mark := " "
	if slices.Contains(r.marked, p.id()) {
		mark = s.Accent.Render(s.Marked)
	}
	verdict := s.Verdict(strings.ToUpper(string(p.Verdict)))
	if p.stray() {
		verdict = s.Muted.Render("UNFINISHED")
	}
	recording := "   "
	if p.Recording != "" {
		recording = s.Muted.Render("rec")
	}
	when := p.StartedAt.Local().Format("01-02 15:04")
	if p.StartedAt.Local().Year() != r.all[0].StartedAt.Local().Year() {
		when = p.StartedAt.Local().Format("2006-01-02 ")
	}
	right := s.PadLeft(s.Muted.Render(report.Clock(p.DurationSeconds)), 7) + " " + recording + " "
	if width < 46 {
		right = ""
	}
	return s.Justify(" "+cursor+" "+mark+" "+s.Muted.Render(when)+"  "+s.Pad(verdict, 12)+" "+name+" ", right, width)
}

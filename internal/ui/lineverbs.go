package ui

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// A verb is what a line can begin with.
type verb struct {
	name, args, doc string
	// when is when it can be done.
	when moment
	do   func(l *lineMode, args string) error
}

// moment is a state of the line mode.
type moment int

const (
	anytime moment = iota
	whileIdle
	whileRunning
	withReport // and without a run
)

// verbs are all of them, in the order of the help. It is set by init because the
// help is one of them.
var verbs []verb

func init() {
	verbs = []verb{
		{"list", "[WORDS]", "reads the scenarios, or those that have the words", anytime, (*lineMode).list},
		{"about", "SCENARIO", "tells what a scenario asks, its steps, limits and parameters", anytime, (*lineMode).about},
		{"set", "SCENARIO NAME=VALUE", "changes a parameter for the runs to come", anytime, (*lineMode).set},
		{"run", "SCENARIO...", "starts scenarios, by name or by their number in the list", whileIdle, (*lineMode).runScenarios},
		{"status", "", "tells all figures now; so does enter alone", whileRunning, (*lineMode).status},
		{"verdicts", "", "tells how each limit stands", whileRunning, (*lineMode).verdictsNow},
		{"agents", "[mailbox, rate or memory]", "tells the busiest agents", whileRunning, (*lineMode).agentsNow},
		{"inspect", "AGENT", "tells one agent's state, mailbox and last events", whileRunning, (*lineMode).inspectAgent},
		{"bus", "", "tells the fullest subscriptions", whileRunning, (*lineMode).busNow},
		{"pause", "", "holds the load; the time is part of no measurement", whileRunning, (*lineMode).pause},
		{"resume", "", "lets the load go on", whileRunning, (*lineMode).resume},
		{"rate", "PERCENT", "sets the rate of an open load, in percent of what the scenario asks for", whileRunning, (*lineMode).setRate},
		{"fault", "[FAULT]", "injects a fault now, such as kill_agents: 10; alone it reads those that there are", anytime, (*lineMode).fault},
		{"every", "SECONDS", "sets how often a run tells its figures", anytime, (*lineMode).tellEvery},
		{"stop", "", "stops the run; its report tells what was measured until then", whileRunning, (*lineMode).stop},
		{"report", "", "reads the report again", withReport, func(l *lineMode, _ string) error { l.tellReport(); return nil }},
		{"export", "FILE", "writes the report, in the format that the name ends in: " + strings.Join(report.Endings(), " "), withReport, (*lineMode).export},
		{"baseline", "NAME", "saves the report as a baseline", withReport, (*lineMode).saveBaseline},
		{"compare", "[BASELINE]", "compares the report with a baseline, or with the run before", withReport, (*lineMode).compare},
		{"again", "", "runs the same again", withReport, (*lineMode).again},
		{"past", "[WORDS]", "lists past runs, the newest first", whileIdle, (*lineMode).listPast},
		{"open", "NUMBER", "reads the report of a past run", whileIdle, (*lineMode).openPast},
		{"replay", "NUMBER", "plays the recording of a past run", whileIdle, (*lineMode).replayPast},
		{"help", "", "reads the commands that work now", anytime, (*lineMode).help},
		{"quit", "", "leaves; a load that runs is stopped first", anytime, (*lineMode).quit},
	}
}

// refusal says why a command cannot be done now; nil if it can.
func (v verb) refusal(l *lineMode) error {
	switch {
	case v.when == whileRunning && !l.running:
		return fmt.Errorf("%s is for a run, and none goes on", v.name)
	case (v.when == whileIdle || v.when == withReport) && l.running:
		return fmt.Errorf("%s has to wait until the run is over; stop ends it", v.name)
	case v.when == withReport && l.report.result == nil:
		return fmt.Errorf("%s needs a report, and there is none yet", v.name)
	}
	return nil
}

func (l *lineMode) help(string) error {
	for _, v := range verbs {
		if v.refusal(l) == nil {
			l.say("%s: %s.", strings.TrimSpace(v.name+" "+v.args), v.doc)
		}
	}
	l.say("The beginning of a command is enough. What is not there works at another time.")
	return nil
}

func (l *lineMode) quit(string) error {
	l.leaving = true
	if l.running {
		l.say("Stops the run.")
		l.run.stop()
	}
	return nil
}

func (l *lineMode) list(words string) error {
	f := widget.Filter{Text: widget.NewField(words)}
	n := 0
	for i, s := range l.menu.all {
		if !f.Matches(append([]string{s.Name, s.Title, s.Description}, s.Tags...)...) {
			continue
		}
		n++
		last := "never run"
		if s.LastVerdict != "" {
			last = "last " + strings.ToUpper(string(s.LastVerdict))
		}
		l.say("%d. %s: %s, %s, about %s, %s.", i+1, s.Name, s.Title, strings.Join(s.Tags, " "), report.Clock(s.Estimate.Seconds()), last)
	}
	if n == 0 {
		return fmt.Errorf("no scenario has %s", words)
	}
	return nil
}

func (l *lineMode) about(name string) error {
	s, err := l.scenario(name)
	if err != nil {
		return err
	}
	l.say("%s: %s. %s", s.Name, s.Title, s.Description)
	for _, step := range s.Steps {
		text := "Step " + step.Name + ": " + strings.Join(append([]string{step.Measurement}, step.Notes...), ", ") + "."
		var exact []string
		for _, limit := range step.Limits {
			if limit.Source == stream.SourceMust {
				exact = append(exact, limit.Metric+" "+shouldBe(limit))
				continue
			}
			text += " " + limit.Metric + " " + limit.Source + " " + shouldBe(limit) + "."
		}
		if n := len(exact); n > 0 {
			text += " " + exactText(n) + ": " + strings.Join(exact, ", ") + "."
		}
		l.say("%s", text)
	}
	for _, f := range s.Fields {
		value := f.Value
		if changed, ok := l.menu.settings[s.Name][f.Name]; ok {
			value = changed + ", instead of " + value
		}
		l.say("%s is %s. %s", f.Name, value, f.Doc)
	}
	return nil
}

func (l *lineMode) set(args string) error {
	name, setting, _ := strings.Cut(args, " ")
	s, err := l.scenario(name)
	if err != nil {
		return err
	}
	key, value, ok := strings.Cut(strings.TrimSpace(setting), "=")
	if !ok {
		return errors.New("a parameter is set as NAME=VALUE; about reads the names")
	}
	changed := Settings{key: value}
	for k, v := range l.menu.settings[s.Name] {
		if k != key {
			changed[k] = v
		}
	}
	for name, err := range l.cfg.Runner.Check(s.Name, changed) {
		return fmt.Errorf("%s: %w", strings.TrimSpace(s.Name+" "+name), err)
	}
	l.menu.set(s.Name, changed)
	l.say("%s of %s is %s for the runs to come.", key, s.Name, value)
	return nil
}

func (l *lineMode) runScenarios(args string) error {
	o := Order{Settings: map[string]Settings{}}
	for _, name := range strings.Fields(args) {
		s, err := l.scenario(name)
		if err != nil {
			return err
		}
		o.Scenarios = append(o.Scenarios, s.Name)
		if settings := l.menu.settings[s.Name]; len(settings) > 0 {
			o.Settings[s.Name] = settings
		}
	}
	if len(o.Scenarios) == 0 {
		return errors.New("which scenario? list reads their names")
	}
	l.measure(o)
	return nil
}

func (l *lineMode) status(string) error {
	l.tellFigures(figures)
	return nil
}

func (l *lineMode) verdictsNow(string) error {
	for _, row := range l.live.verdicts.all {
		l.say("%s", row.sentence())
	}
	return nil
}

// lookSeconds is the time between two looks inside, and a little more.
const lookSeconds = 0.3

// await asks for a look inside, and tells what came of it as soon as it is
// there. What is recorded was looked at then.
func (l *lineMode) await(want stream.Inspect, tell func()) error {
	if l.run.replay != nil {
		if l.live.inspected() == nil {
			return errors.New("this recording does not tell of the inside")
		}
		tell()
		return nil
	}
	if err := l.run.command(stream.Command{Do: stream.SetInspection, Inspect: want}); err != nil {
		return err
	}
	// A rate takes two looks, so that the first is not told.
	l.told.asked = l.live.latest.T + lookSeconds
	l.awaited = func() {
		l.awaited = nil
		tell()
		// Nothing is looked at that nobody wants to hear. A run that has ended
		// meanwhile does not either.
		_ = l.run.command(stream.Command{Do: stream.SetInspection})
	}
	return nil
}

// mostRows is how many agents, subscriptions or runs are told at once.
const mostRows = 10

func (l *lineMode) agentsNow(by string) error {
	order := stream.AgentOrder(by)
	switch order {
	case "":
		order = stream.ByMailbox
	case stream.ByMailbox, stream.ByRate, stream.ByMemory:
	default:
		return fmt.Errorf("agents are told by mailbox, rate or memory, not by %s", by)
	}
	return l.await(stream.Inspect{Agents: mostRows, By: order}, func() {
		in := l.live.inspected()
		l.say("The busiest of %s agents by %s:", report.Quantity(float64(in.AgentsTotal), theme.Count), orderName(in.By))
		for _, a := range in.Agents[:min(len(in.Agents), mostRows)] {
			text := fmt.Sprintf("%s, %s, %s: %d of %d in its mailbox, %s", a.ID, a.Type, a.Lifecycle, a.Mailbox, a.MailboxCapacity, theme.Number(a.ActionsPerSecond, theme.PerSecond))
			if a.MemoryBytes > 0 {
				text += ", " + theme.Number(float64(a.MemoryBytes), theme.Bytes)
			}
			if a.BusySeconds > 0 {
				text += ", busy for " + theme.Seconds(a.BusySeconds)
			}
			l.say("%s.", text)
		}
	})
}

func (l *lineMode) inspectAgent(id string) error {
	if id == "" {
		return errors.New("which agent? agents reads the busiest")
	}
	return l.await(stream.Inspect{Agent: id}, func() {
		a := l.live.inspected().Agent
		if a == nil || a.Summary.ID != id {
			l.say("There is no agent %s now.", id)
			return
		}
		sum := a.Summary
		l.say("%s, %s, %s, %s old: %d of %d in its mailbox, %s, %s actions since it is looked at, version %d.", sum.ID, sum.Type, sum.Lifecycle,
			theme.Seconds(a.AgeSeconds), sum.Mailbox, sum.MailboxCapacity, theme.Number(sum.ActionsPerSecond, theme.PerSecond), report.Quantity(float64(a.ActionsDone), theme.Count), a.Version)
		l.say("State: %s", a.State)
		for _, e := range a.Events {
			l.say("Event %s from %s, %s ago.", e.Type, e.Source, theme.Seconds(e.AgoSeconds))
		}
	})
}

func (l *lineMode) busNow(string) error {
	return l.await(stream.Inspect{Subscriptions: mostRows}, func() {
		table := subscriptionTable{}
		rows := table.rows(l.live.inspected())
		if len(rows) == 0 {
			l.say("There are no subscriptions in this step.")
		}
		for _, sub := range rows[:min(len(rows), mostRows)] {
			l.say("%s to %s: %d of %d wait, %s delivered, %s dropped.", sub.Subscriber, sub.Pattern, sub.Queued, sub.Capacity,
				report.Quantity(float64(sub.Delivered), theme.Count), report.Quantity(float64(sub.Dropped), theme.Count))
		}
	})
}

func (l *lineMode) pause(string) error { return l.setPaused(true) }

func (l *lineMode) resume(string) error { return l.setPaused(false) }

func (l *lineMode) setPaused(paused bool) error {
	if r := l.run.replay; r != nil {
		return l.run.command(stream.Command{Do: stream.SetSpeed, Speed: r.Playback().Speed, Paused: paused})
	}
	if err := l.run.command(stream.Command{Do: stream.SetPaused, Paused: paused}); err != nil {
		return err
	}
	l.live.paused = paused
	return nil // the run's log tells that it was done
}

func (l *lineMode) setRate(args string) error {
	n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(args, "%")), 64)
	if rate := n / 100; err != nil || rate < minRate || rate > maxRate {
		return fmt.Errorf("the rate is %s to %s of what the scenario asks for, such as 120 %%", factor(minRate), factor(maxRate))
	}
	return l.run.command(stream.Command{Do: stream.SetRate, Rate: n / 100})
}

func (l *lineMode) fault(text string) error {
	if text == "" {
		for _, f := range l.cfg.Faults {
			l.say("%s: %s Such as: fault %s", f.Name, f.Doc, f.Example)
		}
		return nil
	}
	if !l.running {
		return errors.New("no run goes on")
	}
	if l.cfg.CheckFault != nil {
		if err := l.cfg.CheckFault(text); err != nil {
			return err
		}
	}
	return l.run.command(stream.Command{Do: stream.InjectFault, Fault: text})
}

func (l *lineMode) tellEvery(args string) error {
	n, err := strconv.ParseFloat(strings.TrimSuffix(args, "s"), 64)
	every := time.Duration(n * float64(time.Second))
	if err != nil || every < leastTelling || every > mostTelling {
		return fmt.Errorf("every how many seconds, %v to %v?", leastTelling.Seconds(), mostTelling.Seconds())
	}
	l.every = every
	l.say("Figures are told every %s.", theme.Seconds(n))
	return nil
}

func (l *lineMode) stop(string) error {
	l.say("Stops the run.")
	l.run.stop()
	return nil
}

func (l *lineMode) export(path string) error {
	f, known := report.FormatOf(path)
	if !known {
		return fmt.Errorf("the name of the file has to end in one of %s", strings.Join(report.Endings(), ", "))
	}
	full, err := absolute(path)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(full); err == nil {
		return fmt.Errorf("%s is there already; give another name", full)
	}
	r := l.report
	course, err := r.courseFor(f)
	if err != nil {
		return err
	}
	if err := report.WriteFile(full, func(w io.Writer) error { return f.Write(w, *r.result, course, l.textOptions()) }); err != nil {
		return err
	}
	l.say("The report is in %s.", full)
	return nil
}

// store is where past runs are.
func (l *lineMode) store() (report.Store, error) {
	if l.cfg.Store == nil {
		return report.Store{}, errors.New("there is no place for past runs and baselines")
	}
	return *l.cfg.Store, nil
}

func (l *lineMode) saveBaseline(name string) error {
	store, err := l.store()
	if err != nil {
		return err
	}
	if !l.report.result.Verdict.Whole() {
		return errors.New("what was not measured whole is no baseline")
	}
	if _, err := store.SaveBaseline(name, *l.report.result); err != nil {
		return err
	}
	l.say("Saved as the baseline %s.", name)
	return nil
}

func (l *lineMode) compare(name string) error {
	store, err := l.store()
	if err != nil {
		return err
	}
	now := *l.report.result
	var before report.Report
	if name != "" {
		before, err = store.Baseline(name)
	} else {
		name, before, err = lastBefore(store, now)
	}
	if err != nil {
		return err
	}
	held, err := l.cfg.Compare(now, before, name, false)
	if err != nil {
		return err
	}
	return report.ComparisonText(l.out, held, l.textOptions())
}

// lastBefore is the newest run of the same scenarios before another.
func lastBefore(store report.Store, now report.Report) (name string, before report.Report, err error) {
	list, _, err := store.List() // one that cannot be read cannot be compared with
	if err != nil {
		return "", report.Report{}, err
	}
	for _, run := range list {
		if run.ID != now.ID && run.StartedAt.Before(now.StartedAt) && sharesScenario(run, now) {
			before, err := report.Load(run.Path)
			return "the run of " + theme.Timestamp(run.StartedAt), before, err
		}
	}
	return "", report.Report{}, errors.New("there is nothing to compare with: no other run has these scenarios")
}

func (l *lineMode) again(string) error {
	if len(l.report.order.Scenarios) == 0 {
		return errors.New("this is a past run; run starts its scenario anew")
	}
	l.measure(l.report.order)
	return nil
}

func (l *lineMode) listPast(words string) error {
	store, err := l.store()
	if err != nil {
		return err
	}
	all, warnings, err := readRuns(store)
	if err != nil {
		return err
	}
	if len(warnings) > 0 {
		l.say("%d past runs cannot be read; the first: %v", len(warnings), warnings[0])
	}
	f := widget.Filter{Text: widget.NewField(words)}
	l.past = nil
	for _, p := range all {
		if f.Matches(p.words()...) {
			l.past = append(l.past, p)
		}
	}
	for i, p := range l.past[:min(len(l.past), 2*mostRows)] {
		text := fmt.Sprintf("%d. %s: %s", i+1, theme.Timestamp(p.StartedAt), p.names)
		if p.Verdict != "" {
			text += ", " + strings.ToUpper(string(p.Verdict))
		}
		if p.Recording != "" {
			text += ", with a recording"
		}
		l.say("%s.", text)
	}
	l.say("%d past runs.", len(l.past))
	return nil
}

func (l *lineMode) openPast(args string) error {
	i, err := number(args, len(l.past), "past")
	if err != nil {
		return err
	}
	if l.past[i].stray() {
		return errors.New("of this run there is only a recording; replay plays it")
	}
	r, err := report.Load(l.past[i].Path)
	if err != nil {
		return err
	}
	l.report = reportView{result: &r, recording: l.past[i].Recording}
	l.tellReport()
	return nil
}

func (l *lineMode) replayPast(args string) error {
	i, err := number(args, len(l.past), "past")
	if err != nil {
		return err
	}
	path := l.past[i].Recording
	if path == "" {
		return errors.New("of this run no recording is kept")
	}
	r, err := stream.LoadRecording(path)
	if err != nil {
		return err
	}
	l.play(r, filepath.Base(path))
	return nil
}

// play tells a recording as if it were a run.
func (l *lineMode) play(recording *stream.Recording, name string) {
	l.say("Replays %s, which took %s. Type stop to end it.", name, report.Clock(recording.Length()))
	if recording.Broken != nil {
		l.say("The recording is incomplete: %s.", theme.FirstLine(recording.Broken))
	}
	l.follow(replayed(recording, name))
}

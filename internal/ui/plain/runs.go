package plain

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/report/format"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/check"
	"mabeam-top/internal/ui/session"
	"mabeam-top/internal/ui/theme"
	"mabeam-top/internal/ui/widget"
)

// The commands for scenarios, reports and past runs.

func (c *console) list(words string) error {
	f := widget.NewFilter(words)
	n := 0
	for i, s := range c.catalogue.Scenarios {
		if !f.Matches(append([]string{s.Name, s.Title, s.Description}, s.Tags...)...) {
			continue
		}
		n++
		last := "not run"
		if s.LastVerdict != "" {
			last = "last " + strings.ToUpper(string(s.LastVerdict))
		}
		c.print("%d. %s: %s, %s, about %s, %s.", i+1, s.Name, s.Title, strings.Join(s.Tags, " "), quantity.Clock(s.Estimate.Seconds()), last)
	}
	if n == 0 {
		return fmt.Errorf("no scenario matches %s", words)
	}
	return nil
}

func (c *console) about(name string) error {
	s, err := c.scenario(name)
	if err != nil {
		return err
	}
	c.print("%s: %s. %s", s.Name, s.Title, s.Description)
	for _, step := range s.Steps {
		c.print("%s", aboutStep(step))
	}
	for _, f := range s.Fields {
		value := f.Value
		if changed, ok := c.catalogue.Changed[s.Name][f.Name]; ok {
			value = changed + ", changed from " + value
		}
		c.print("%s is %s. %s", f.Name, value, f.Doc)
	}
	return nil
}

func aboutStep(step session.Step) string {
	text := "Step " + step.Name + ": " + strings.Join(append([]string{step.Measurement}, step.Notes...), ", ") + "."
	var exact []string
	for _, limit := range step.Limits {
		if limit.Source == report.KindCondition {
			exact = append(exact, limit.Metric+" "+check.Condition(limit))
			continue
		}
		text += " " + limit.Metric + " " + string(limit.Source) + " " + check.Condition(limit) + "."
	}
	if n := len(exact); n > 0 {
		text += " " + check.ExactText(n) + ": " + strings.Join(exact, ", ") + "."
	}
	return text
}

func (c *console) set(args string) error {
	name, setting, _ := strings.Cut(args, " ")
	s, err := c.scenario(name)
	if err != nil {
		return err
	}
	key, value, ok := strings.Cut(strings.TrimSpace(setting), "=")
	if !ok {
		return errors.New("expected NAME=VALUE; about lists the names")
	}
	changed := session.Settings{key: value}
	for k, v := range c.catalogue.Changed[s.Name] {
		if k != key {
			changed[k] = v
		}
	}
	for name, err := range c.cfg.Runner.Check(s.Name, changed) {
		return fmt.Errorf("%s: %w", strings.TrimSpace(s.Name+" "+name), err)
	}
	c.catalogue.Changed[s.Name] = changed
	c.print("%s of %s is %s for the next runs.", key, s.Name, value)
	return nil
}

func (c *console) runScenarios(args string) error {
	var names []string
	for _, name := range strings.Fields(args) {
		s, err := c.scenario(name)
		if err != nil {
			return err
		}
		names = append(names, s.Name)
	}
	if len(names) == 0 {
		return errors.New("no scenario given; list lists the scenarios")
	}
	c.measure(c.catalogue.Order(names...))
	return nil
}

func (c *console) export(path string) error {
	f, known := format.Of(path)
	if !known {
		return fmt.Errorf("the file name must end in one of %s", strings.Join(format.Endings(), ", "))
	}
	full, err := c.outcome.Export(f, path, false, c.textOptions())
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already; give another name", full)
	} else if err != nil {
		return err
	}
	c.print("Exported the report to %s.", full)
	return nil
}

// store is where past runs and baselines are.
func (c *console) store() (report.Store, error) {
	if c.cfg.Store == nil {
		return report.Store{}, errors.New("there is no directory for past runs and baselines")
	}
	return *c.cfg.Store, nil
}

func (c *console) saveBaseline(name string) error {
	store, err := c.store()
	if err != nil {
		return err
	}
	if !c.outcome.Report.Verdict.Conclusive() {
		return errors.New("an incomplete run cannot be a baseline")
	}
	if _, err := store.SaveBaseline(name, *c.outcome.Report); err != nil {
		return err
	}
	c.print("Saved as baseline %s.", name)
	return nil
}

func (c *console) compare(name string) error {
	store, err := c.store()
	if err != nil {
		return err
	}
	now, earlier := *c.outcome.Report, session.Baseline(store, name)
	if name == "" {
		if earlier, err = session.Previous(store, now); err != nil {
			return err
		}
	}
	before, err := earlier.Load()
	if err != nil {
		return err
	}
	compared, err := c.cfg.Compare(now, before, earlier.Name, false)
	if err != nil {
		return err
	}
	return format.WriteComparison(c.cfg.Output, compared, c.textOptions())
}

func (c *console) rerun(string) error {
	if len(c.outcome.Order.Scenarios) == 0 {
		return errors.New("this is a past run; run starts its scenarios")
	}
	c.measure(c.outcome.Order)
	return nil
}

// mostPast is the number of past runs that are listed.
const mostPast = 20

func (c *console) listPast(words string) error {
	store, err := c.store()
	if err != nil {
		return err
	}
	all, warnings, err := session.ReadPast(store)
	if err != nil {
		return err
	}
	if len(warnings) > 0 {
		c.print("%d past runs cannot be read, such as: %v", len(warnings), warnings[0])
	}
	f := widget.NewFilter(words)
	c.past = nil
	for _, p := range all {
		if f.Matches(p.Words()...) {
			c.past = append(c.past, p)
		}
	}
	for i, p := range c.past[:min(len(c.past), mostPast)] {
		text := fmt.Sprintf("%d. %s: %s", i+1, theme.Timestamp(p.StartedAt), p.Names)
		if p.Verdict != "" {
			text += ", " + strings.ToUpper(string(p.Verdict))
		}
		if p.Recording != "" {
			text += ", with a recording"
		}
		c.print("%s.", text)
	}
	c.print("%d past runs.", len(c.past))
	return nil
}

func (c *console) openPast(args string) error {
	i, err := number(args, len(c.past), "past")
	if err != nil {
		return err
	}
	if c.past[i].Unfinished() {
		return errors.New("this run has only a recording; replay plays it")
	}
	r, err := report.Load(c.past[i].Path)
	if err != nil {
		return err
	}
	c.outcome = session.Outcome{Report: &r, Recording: c.past[i].Recording}
	c.printReport()
	return nil
}

func (c *console) replayPast(args string) error {
	i, err := number(args, len(c.past), "past")
	if err != nil {
		return err
	}
	path := c.past[i].Recording
	if path == "" {
		return errors.New("this run has no recording")
	}
	r, err := stream.LoadRecording(path)
	if err != nil {
		return err
	}
	c.play(r, filepath.Base(path))
	return nil
}

package result

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	tea "github.com/charmbracelet/bubbletea"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/report/format"
	"mabeam-top/internal/ui/screen"
	"mabeam-top/internal/ui/session"
	"mabeam-top/internal/ui/theme"
)

// formatNotes say what each format is for.
var formatNotes = map[format.Format]string{
	format.Text:     "for people, in a terminal or an email",
	format.JSON:     "for scripts, and to compare with later",
	format.JUnit:    "for CI systems, as XML",
	format.Markdown: "for a pull request",
	format.HTML:     "for a browser, with charts over time",
	format.CSV:      "for a spreadsheet, with every sample",
}

// chooseFormat begins an export.
func (s *Screen) chooseFormat() {
	formats := format.Names()
	choices := make([]screen.Choice, len(formats))
	for i, name := range formats {
		choices[i] = screen.Choice{Name: name, Note: formatNotes[format.Format(name)]}
	}
	s.host.Choose("Export the report as", choices, 0, func(i int) tea.Cmd {
		s.nameExport(format.Format(formats[i]), s.outcome.ExportName()+format.Endings()[i])
		return nil
	})
}

func (s *Screen) nameExport(f format.Format, path string) {
	check := func(path string) (string, error) {
		if path == "" {
			return "", errors.New("enter a file name")
		}
		return "", nil
	}
	s.host.Prompt(fmt.Sprintf("Export as %s to file", f), path, check, func(path string) tea.Cmd { return s.export(f, path, false) })
}

// export writes the report to a file. It asks before it replaces one.
func (s *Screen) export(f format.Format, path string, replace bool) tea.Cmd {
	outcome, options := s.outcome, format.Options{ASCII: s.host.Theme.ASCIIOnly}
	return screen.Work(func() screen.Result {
		full, err := outcome.Export(f, path, replace, options)
		switch {
		case errors.Is(err, fs.ErrExist):
			return func() tea.Cmd {
				s.host.Ask(full+" exists already. Replace it?", "replace? y/n", func() tea.Cmd { return s.export(f, path, true) })
				return nil
			}
		case err != nil:
			return func() tea.Cmd {
				s.nameExport(f, path)
				s.host.Fail(err)
				return nil
			}
		}
		return s.host.Notified("exported the report to %s", full)
	})
}

// saveBaseline asks for a name and saves the report as baseline.
func (s *Screen) saveBaseline() tea.Cmd {
	store, outcome := *s.config.Store, s.outcome
	return screen.Work(func() screen.Result {
		names, err := store.Baselines()
		if err != nil {
			return s.host.Failed(err)
		}
		check := func(name string) (string, error) {
			if slices.Contains(names, name) {
				return "replaces the baseline of this name", report.CheckBaselineName(name)
			}
			return "", report.CheckBaselineName(name)
		}
		save := func(name string) tea.Cmd {
			return screen.Work(func() screen.Result {
				if _, err := store.SaveBaseline(name, *outcome.Report); err != nil {
					return s.host.Failed(err)
				}
				return s.host.Notified("saved as baseline %s; compare a run with it by --baseline %s", name, name)
			})
		}
		return func() tea.Cmd {
			s.host.Prompt("Save the report as baseline", outcome.BaselineName(), check, save)
			return nil
		}
	})
}

// Compare compares a report with an earlier one, and shows the result. Without an
// earlier one, it asks which.
func (s *Screen) Compare(now report.Report, earlier *session.Earlier) tea.Cmd {
	if earlier != nil {
		return s.compare(now, *earlier, false)
	}
	store := *s.config.Store
	return screen.Work(func() screen.Result {
		all, err := session.EarlierThan(store, now)
		if err != nil {
			return s.host.Failed(err)
		}
		choices := make([]screen.Choice, len(all))
		for i, e := range all {
			choices[i] = screen.Choice{Name: e.Label, Note: e.Note}
		}
		selected := max(slices.IndexFunc(all, func(e session.Earlier) bool { return e.Previous }), 0)
		return func() tea.Cmd {
			s.host.Choose("Compare with", choices, selected, func(i int) tea.Cmd { return s.compare(now, all[i], false) })
			return nil
		}
	})
}

func (s *Screen) compare(now report.Report, earlier session.Earlier, force bool) tea.Cmd {
	return screen.Work(func() screen.Result {
		before, err := earlier.Load()
		if err != nil {
			return s.host.Failed(err)
		}
		compared, err := s.config.Compare(now, before, earlier.Name, force)
		switch {
		case errors.Is(err, session.ErrDifferent) && !force:
			return func() tea.Cmd {
				s.host.Ask(theme.FirstLine(err)+". Compare anyway?", "compare anyway? y/n", func() tea.Cmd { return s.compare(now, earlier, true) })
				return nil
			}
		case err != nil:
			return s.host.Failed(err)
		}
		return func() tea.Cmd {
			s.links.Comparison(&Comparison{host: s.host, now: now, before: before, compared: compared})
			return nil
		}
	})
}

package ui

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	tea "github.com/charmbracelet/bubbletea"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/ui/theme"
)

// A result is the second half of a command: what Update does with what the work
// came to.
type result func() tea.Cmd

// work returns a command that does something slow, such as reading files, outside
// of Update.
func work(do func() result) tea.Cmd { return func() tea.Msg { return do() } }

// notify shows a message in the status line.
func (m *model) notify(format string, args ...any) {
	m.notice = notice{text: fmt.Sprintf(format, args...)}
}

// fail shows an error in the status line.
func (m *model) fail(err error) { m.notice = notice{text: theme.FirstLine(err), bad: true} }

// notified returns a result that shows a message.
func (m *model) notified(format string, args ...any) result {
	return func() tea.Cmd {
		m.notify(format, args...)
		return nil
	}
}

// failed returns a result that shows an error.
func (m *model) failed(err error) result {
	return func() tea.Cmd {
		m.fail(err)
		return nil
	}
}

// formatNotes say what the formats are for.
var formatNotes = map[report.Format]string{
	report.FormatText:     "for people, in a terminal or a mail",
	report.FormatJSON:     "for scripts, and to compare with later",
	report.FormatJUnit:    "for CI systems, as XML",
	report.FormatMarkdown: "for a pull request",
	report.FormatHTML:     "for a browser, with charts over time",
	report.FormatCSV:      "for a spreadsheet, every sample",
}

// chooseFormat begins an export.
func (m *model) chooseFormat() tea.Cmd {
	var choices []choice
	formats := report.Formats()
	for _, name := range formats {
		choices = append(choices, choice{name, formatNotes[report.Format(name)]})
	}
	m.dialog = choose("Export the report as", choices, func(n int) tea.Cmd {
		m.nameExport(report.Format(formats[n]), exportName(m.report.result)+report.Endings()[n])
		return nil
	})
	return nil
}

// exportName is what an exported report is called if nobody says otherwise.
func exportName(r *report.Report) string {
	name := "report"
	if len(r.Scenarios) == 1 {
		name = r.Scenarios[0].Name
	}
	name = strings.Map(func(c rune) rune {
		if c == filepath.Separator || c == '/' {
			return '-'
		}
		return c
	}, theme.Clean(name))
	if !r.StartedAt.IsZero() {
		name += "-" + r.StartedAt.Local().Format("20060102-150405")
	}
	return name
}

func (m *model) nameExport(f report.Format, path string) {
	m.dialog = prompt(fmt.Sprintf("Export as %s to the file", f), path, func(path string) (string, error) {
		if path == "" {
			return "", errors.New("a name is needed")
		}
		return "", nil
	}, func(path string) tea.Cmd { return m.export(f, path, false) })
}

// export writes the report to a file, whole or not at all. A file that is there
// is only replaced if that was said.
func (m *model) export(f report.Format, path string, replace bool) tea.Cmd {
	view, ascii := m.report, m.styles.ASCIIOnly
	return work(func() result {
		full, err := absolute(path)
		if err != nil {
			return m.failed(err)
		}
		info, err := os.Stat(full)
		if err == nil && info.Mode().IsRegular() && !replace {
			return func() tea.Cmd {
				m.dialog = ask(full+" is there already. Replace it?", "replace? y/n", func() tea.Cmd {
					return m.export(f, path, true)
				})
				return nil
			}
		}
		course, err := view.courseFor(f)
		if err != nil {
			return m.failed(err)
		}
		err = report.WriteFile(full, func(w io.Writer) error {
			return f.Write(w, *view.result, course, report.TextOptions{ASCII: ascii})
		})
		if err != nil {
			if cause, ok := errors.AsType[syscall.Errno](err); ok { // the name was given just now
				err = fmt.Errorf("%s cannot be written: %w", path, cause)
			}
			return func() tea.Cmd {
				m.nameExport(f, path)
				return m.failed(err)()
			}
		}
		return m.notified("the report is in %s", full)
	})
}

// absolute is where a file is that was named in the UI.
func absolute(path string) (string, error) {
	if rest, ok := strings.CutPrefix(path, "~"+string(filepath.Separator)); ok {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("find the home folder: %w", err)
		}
		path = filepath.Join(home, rest)
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", path, err)
	}
	return full, nil
}

// nameBaseline begins to save the report as a baseline.
func (m *model) nameBaseline() tea.Cmd {
	store, r := *m.cfg.Store, *m.report.result
	return work(func() result {
		names, err := store.Baselines()
		if err != nil {
			return m.failed(err)
		}
		suggested := "baseline"
		if len(r.Scenarios) == 1 {
			suggested = r.Scenarios[0].Name
		}
		return func() tea.Cmd {
			m.dialog = prompt("Save the report as the baseline", suggested, func(name string) (string, error) {
				if slices.Contains(names, name) {
					return "replaces the baseline of that name", report.CheckBaselineName(name)
				}
				return "", report.CheckBaselineName(name)
			}, func(name string) tea.Cmd {
				return work(func() result {
					if _, err := store.SaveBaseline(name, r); err != nil {
						return m.failed(err)
					}
					return m.notified("saved as the baseline %s: --baseline %s compares a run with it", name, name)
				})
			})
			return nil
		}
	})
}

// chooseEarlier asks what a report is to be compared with: a baseline, or an
// earlier run of the same scenarios.
func (m *model) chooseEarlier(now report.Report) tea.Cmd {
	store := *m.cfg.Store
	return work(func() result {
		names, err := store.Baselines()
		if err != nil {
			return m.failed(err)
		}
		runs, _, err := store.List() // one that cannot be read cannot be compared with
		if err != nil {
			return m.failed(err)
		}
		var choices []choice
		var load []func() (string, report.Report, error)
		for _, name := range names {
			choices = append(choices, choice{name, "baseline"})
			load = append(load, func() (string, report.Report, error) {
				r, err := store.Baseline(name)
				return name, r, err
			})
		}
		last := true
		for _, run := range runs {
			if run.ID == now.ID || !sharesScenario(run, now) {
				continue
			}
			word := ""
			if last && run.StartedAt.Before(now.StartedAt) {
				word, last = "the last before, ", false
			}
			choices = append(choices, choice{theme.Timestamp(run.StartedAt), word + strings.ToUpper(string(run.Verdict)) + ", " + scenarioNames(run)})
			load = append(load, func() (string, report.Report, error) {
				r, err := report.Load(run.Path)
				return "the run of " + theme.Timestamp(run.StartedAt), r, err
			})
		}
		if len(choices) == 0 {
			return m.failed(errors.New("there is nothing to compare with: no baseline is saved, and no other run has these scenarios"))
		}
		return func() tea.Cmd {
			m.dialog = choose("Compare with", choices, func(n int) tea.Cmd {
				return m.compare(now, load[n], false)
			})
			// The one just before is what one most often wants.
			if i := slices.IndexFunc(choices, func(c choice) bool { return strings.HasPrefix(c.note, "the last before") }); i >= 0 {
				m.dialog.cursor = i
			}
			return nil
		}
	})
}

func sharesScenario(run report.Run, r report.Report) bool {
	return slices.ContainsFunc(run.Scenarios, func(s report.RunScenario) bool {
		return slices.ContainsFunc(r.Scenarios, func(other report.Scenario) bool { return other.Name == s.Name })
	})
}

func scenarioNames(run report.Run) string {
	names := make([]string, len(run.Scenarios))
	for i, s := range run.Scenarios {
		names[i] = s.Name
	}
	return cmp.Or(strings.Join(names, ", "), "nothing was run")
}

// compare compares a report with an earlier one and shows the result.
func (m *model) compare(now report.Report, load func() (string, report.Report, error), force bool) tea.Cmd {
	compare := m.cfg.Compare
	return work(func() result {
		name, before, err := load()
		if errors.Is(err, fs.ErrNotExist) {
			return m.failed(fmt.Errorf("%s is not there any more", name))
		} else if err != nil {
			return m.failed(err)
		}
		held, err := compare(now, before, name, force)
		switch {
		case errors.Is(err, ErrDifferent) && !force:
			return func() tea.Cmd {
				m.dialog = ask(theme.FirstLine(err)+". Compare them all the same?", "compare all the same? y/n", func() tea.Cmd {
					return m.compare(now, load, true)
				})
				return nil
			}
		case err != nil:
			return m.failed(err)
		}
		return func() tea.Cmd {
			m.comparison = newComparison(now, before, held)
			m.comparison.from = m.screen
			m.screen = compareScreen
			return nil
		}
	})
}

package session

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/ui/theme"
)

// Compare compares a report with an earlier one, which it calls by the name. It
// compares runs of different measurements only with force; otherwise its error
// wraps ErrDifferent.
type Compare func(now, before report.Report, name string, force bool) (report.Report, error)

// ErrDifferent is the error of a comparison of different measurements.
var ErrDifferent = errors.New("these are not the same measurements")

// errNothingEarlier is the error if there is nothing to compare a report with.
var errNothingEarlier = errors.New("nothing to compare with: there is no baseline and no other run of these scenarios")

// An Earlier is a baseline or a stored run to compare a report with.
type Earlier struct {
	// Label is its name in a list, and Note says more about it.
	Label, Note string
	// Previous is true for the newest run before the report.
	Previous bool
	// Name is its name in a sentence.
	Name string
	load func() (report.Report, error)
}

// Load reads the report.
func (e Earlier) Load() (report.Report, error) {
	r, err := e.load()
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("load %s: it no longer exists", e.Name)
	}
	return r, err
}

// EarlierRun is a stored run to compare with.
func EarlierRun(run report.Run) Earlier {
	return Earlier{
		Label: theme.Timestamp(run.StartedAt), Note: strings.ToUpper(string(run.Verdict)) + ", " + scenarioNames(run),
		Name: "the run of " + theme.Timestamp(run.StartedAt), load: func() (report.Report, error) { return report.Load(run.Path) },
	}
}

// Baseline is a baseline to compare with.
func Baseline(store report.Store, name string) Earlier {
	return Earlier{Label: name, Note: "baseline", Name: name, load: func() (report.Report, error) { return store.Baseline(name) }}
}

// EarlierThan lists what a report can be compared with: the baselines, and the
// stored runs of its scenarios, newest first.
func EarlierThan(store report.Store, now report.Report) ([]Earlier, error) {
	names, err := store.Baselines()
	if err != nil {
		return nil, err
	}
	runs, _, err := store.List() // a run that cannot be read cannot be compared with
	if err != nil {
		return nil, err
	}
	var out []Earlier
	for _, name := range names {
		out = append(out, Baseline(store, name))
	}
	found := false
	for _, run := range runs {
		if run.ID == now.ID || !sharesScenario(run, now) {
			continue
		}
		e := EarlierRun(run)
		if !found && run.StartedAt.Before(now.StartedAt) {
			e.Previous, e.Note, found = true, "previous run, "+e.Note, true
		}
		out = append(out, e)
	}
	if len(out) == 0 {
		return nil, errNothingEarlier
	}
	return out, nil
}

// Previous returns the newest stored run before a report.
func Previous(store report.Store, now report.Report) (Earlier, error) {
	all, err := EarlierThan(store, now)
	if err != nil {
		return Earlier{}, err
	}
	if i := slices.IndexFunc(all, func(e Earlier) bool { return e.Previous }); i >= 0 {
		return all[i], nil
	}
	return Earlier{}, errNothingEarlier
}

func sharesScenario(run report.Run, r report.Report) bool {
	return slices.ContainsFunc(run.Scenarios, func(s report.RunScenario) bool {
		return slices.ContainsFunc(r.Scenarios, func(other report.Scenario) bool { return other.Name == s.Name })
	})
}

// scenarioNames lists the scenarios of a stored run.
func scenarioNames(run report.Run) string {
	names := make([]string, len(run.Scenarios))
	for i, s := range run.Scenarios {
		names[i] = s.Name
	}
	return cmp.Or(strings.Join(names, ", "), "no scenario")
}

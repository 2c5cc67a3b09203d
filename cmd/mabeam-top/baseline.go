package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/verdict"
)

// earlierReport finds the report that NAME|FILE|last means. The newest run is
// the newest one that has the scenarios.
func earlierReport(source string, scenarios []string) (report.Report, error) {
	if strings.ContainsRune(source, filepath.Separator) || strings.EqualFold(filepath.Ext(source), ".json") {
		return report.Load(source)
	}
	store, err := report.DefaultStore()
	if err != nil {
		return report.Report{}, err
	}
	if source == report.LastRun {
		return store.Newest(scenarios)
	}
	r, err := store.Baseline(source)
	if err == nil {
		return r, nil
	}
	// A file needs no ending; but a name that was saved comes first.
	if fromFile, fileErr := report.Load(source); !errors.Is(fileErr, fs.ErrNotExist) {
		return fromFile, fileErr
	}
	return report.Report{}, err
}

// earlier returns what the run is to be compared with; nil if with nothing.
// What cannot be compared with it is told before anything runs.
func (a *app) earlier(plan scenario.Plan) (*stress.Comparison, error) {
	if a.flags.baseline == "" {
		return nil, nil
	}
	names := make([]string, len(plan.Scenarios))
	for i, s := range plan.Scenarios {
		names[i] = s.Name
	}
	r, err := earlierReport(a.flags.baseline, names)
	if err != nil {
		return nil, fmt.Errorf("--baseline: %w", err)
	}
	return &stress.Comparison{Name: a.flags.baseline, Report: r, Rule: verdict.Rule{Force: a.flags.force}}, nil
}

// refused says how to compare all the same, where that is possible.
func refused(err error) error {
	if errors.Is(err, verdict.ErrDifferentParameters) {
		return errors.Join(err, errors.New("these are not the same measurements; --force compares them all the same"))
	}
	return err
}

// saveBaseline saves the report under the name of --save-baseline. What says
// nothing is no baseline, and what is worse than the one before must not take
// its place where that counts.
func (a *app) saveBaseline(r report.Report) error {
	name := a.flags.saveBaseline
	if name == "" {
		return nil
	}
	switch {
	case !r.Verdict.Whole():
		return fmt.Errorf("the run is not saved as the baseline %s: its verdict is %s", name, r.Verdict)
	case a.flags.failOnRegression && a.regressed(r):
		return fmt.Errorf("the run is not saved as the baseline %s: it is worse than %s", name, a.flags.baseline)
	}
	store, err := report.DefaultStore()
	if err == nil {
		_, err = store.SaveBaseline(name, r)
	}
	if err != nil {
		return fmt.Errorf("the run is not saved as the baseline %s: %w", name, err)
	}
	return nil
}

// regressed says whether the report is worse than what it was compared with.
func (a *app) regressed(r report.Report) bool { return r.Regression != nil && r.Regression.Detected }

// regressionCode is the exit code that the comparison leads to, if it counts.
// One that was asked for and could not be made has not passed.
func (a *app) regressionCode(r report.Report) int {
	switch {
	case !a.flags.failOnRegression:
		return exitOK
	case r.Regression == nil, !r.Regression.Told():
		return exitUnmeasured
	case r.Regression.Detected:
		return exitFailed
	}
	return exitOK
}

func (a *app) compareCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "compare OLD NEW",
		Short: "Tell what became worse or better from one report to another",
		Long: `Compares two reports, metric by metric. Each is a JSON report's file, the name
of a baseline that was saved with --save-baseline, or last, the newest run.

A metric has regressed if its median is more than 10 % worse and that is not
chance: with four samples or more on each side (--repeat 4) a Mann-Whitney U
test has to say p < 0.05 and the difference has to stand out from the spread, or
the test p < 0.005; with fewer samples the 10 % alone count. The exit code tells
of a regression only with --fail-on-regression.`,
		Example: `  mabeam-top compare old.json new.json
  mabeam-top compare v1 last --fail-on-regression
  mabeam-top compare old.json new.json --json | jq .regression.detected`,
		Args:              exactly(2, "an old and a new report"),
		ValidArgsFunction: completeBaselines,
		RunE:              func(_ *cobra.Command, args []string) error { return a.compare(args[0], args[1]) },
	}
	set := cmd.Flags()
	set.BoolVar(&a.flags.json, "json", false, "the new report as JSON, with the comparison as its regression")
	a.addRegressionFlags(set)
	set.StringVar(&a.flags.color, "color", auto, "`WHEN` to use colours: auto, always or never")
	set.BoolVar(&a.flags.ascii, "ascii", false, "write nothing but ASCII")
	return cmd
}

// addRegressionFlags adds the flags that say what a comparison is for.
func (a *app) addRegressionFlags(set *pflag.FlagSet) {
	set.BoolVar(&a.flags.failOnRegression, "fail-on-regression", false, "exit with 1 if the comparison finds a regression")
	set.BoolVar(&a.flags.force, "force", false, "compare steps that have different parameters, too")
}

// compare compares two reports.
func (a *app) compare(oldSource, newSource string) error {
	before, errOld := earlierReport(oldSource, nil)
	now, errNew := earlierReport(newSource, nil)
	if err := errors.Join(errOld, errNew, a.flags.checkColor()); err != nil {
		return err
	}
	held, err := verdict.WithRegression(now, before, oldSource, verdict.Rule{Force: a.flags.force})
	if err != nil {
		return refused(err)
	}
	var text bytes.Buffer
	if a.flags.json {
		err = report.JSON(&text, held)
	} else {
		err = report.ComparisonText(&text, held, a.textOptions())
	}
	if err != nil {
		return failure{err}
	}
	a.code = a.regressionCode(held)
	return a.print(text.Bytes())
}

// completeBaselines offers the saved baselines, and files.
func completeBaselines(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	offered := []cobra.Completion{report.LastRun}
	if store, err := report.DefaultStore(); err == nil {
		if names, err := store.Baselines(); err == nil {
			offered = append(offered, names...)
		}
	}
	return offered, cobra.ShellCompDirectiveDefault
}

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
	"mabeam-top/internal/stress/report/format"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/verdict"
)

// earlierReport returns the report that NAME|FILE|last means. last is the newest run of
// the scenarios.
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
	// A file needs no extension, but a saved baseline takes precedence.
	if fromFile, fileErr := report.Load(source); !errors.Is(fileErr, fs.ErrNotExist) {
		return fromFile, fileErr
	}
	return report.Report{}, err
}

// earlier returns the report that the run is compared with, or nil without --baseline.
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

// withForceHint adds a hint at --force to the error of a comparison that it allows.
func withForceHint(err error) error {
	if errors.Is(err, verdict.ErrDifferentParameters) {
		return errors.Join(err, errors.New("the steps have different parameters; use --force to compare them anyway"))
	}
	return err
}

// saveBaseline saves the report as the baseline of --save-baseline. It refuses an
// incomplete report, and with --fail-on-regression one that regressed.
func (a *app) saveBaseline(r report.Report) error {
	name := a.flags.saveBaseline
	if name == "" {
		return nil
	}
	switch {
	case !r.Verdict.Conclusive():
		return fmt.Errorf("save baseline %s: the verdict of the run is %s", name, r.Verdict)
	case a.flags.failOnRegression && a.regressed(r):
		return fmt.Errorf("save baseline %s: the run regressed compared with %s", name, a.flags.baseline)
	}
	store, err := report.DefaultStore()
	if err == nil {
		_, err = store.SaveBaseline(name, r)
	}
	if err != nil {
		return fmt.Errorf("save baseline %s: %w", name, err)
	}
	return nil
}

// regressed reports whether the report has a regression.
func (a *app) regressed(r report.Report) bool { return r.Regression != nil && r.Regression.Detected }

// regressionCode returns the exit code of the comparison with --fail-on-regression. A
// comparison without a result has not passed.
func (a *app) regressionCode(r report.Report) int {
	switch {
	case !a.flags.failOnRegression:
		return exitOK
	case r.Regression == nil, !r.Regression.Conclusive():
		return exitUnmeasured
	case r.Regression.Detected:
		return exitFailed
	}
	return exitOK
}

func (a *app) compareCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "compare OLD NEW",
		Short: "Compare two reports",
		Long: `Compares each metric of two reports. A report is the file of a JSON report, the
name of a baseline saved with --save-baseline, or last for the newest run.

A metric has regressed if its median is more than 10 % worse and the change is
significant. With at least four samples on each side (--repeat 4), a
Mann-Whitney U test must give p < 0.05 and the change must exceed the spread, or
the test must give p < 0.005. With fewer samples, only the 10 % count. A
regression sets the exit code only with --fail-on-regression.`,
		Example: `  mabeam-top compare old.json new.json
  mabeam-top compare v1 last --fail-on-regression
  mabeam-top compare old.json new.json --json | jq .regression.detected`,
		Args:              exactly(2, "an old and a new report"),
		ValidArgsFunction: completeBaselines,
		RunE:              func(_ *cobra.Command, args []string) error { return a.compare(args[0], args[1]) },
	}
	set := cmd.Flags()
	set.BoolVar(&a.flags.json, "json", false, "print the new report as JSON, with the comparison as its regression")
	a.addRegressionFlags(set)
	set.StringVar(&a.flags.color, "color", auto, "use colors: `WHEN` is auto, always or never")
	set.BoolVar(&a.flags.ascii, "ascii", false, "use only ASCII characters")
	return cmd
}

// addRegressionFlags adds the flags of a comparison.
func (a *app) addRegressionFlags(set *pflag.FlagSet) {
	set.BoolVar(&a.flags.failOnRegression, "fail-on-regression", false, "exit with code 1 if the comparison finds a regression")
	set.BoolVar(&a.flags.force, "force", false, "compare steps with different parameters too")
}

// compare compares two reports.
func (a *app) compare(oldSource, newSource string) error {
	before, errOld := earlierReport(oldSource, nil)
	now, errNew := earlierReport(newSource, nil)
	if err := errors.Join(errOld, errNew, a.flags.checkColor()); err != nil {
		return err
	}
	result, err := verdict.WithRegression(now, before, oldSource, verdict.Rule{Force: a.flags.force})
	if err != nil {
		return withForceHint(err)
	}
	var text bytes.Buffer
	if a.flags.json {
		err = report.Write(&text, result)
	} else {
		err = format.WriteComparison(&text, result, a.textOptions())
	}
	if err != nil {
		return failure{err}
	}
	a.code = a.regressionCode(result)
	return a.print(text.Bytes())
}

// completeBaselines completes saved baselines and files.
func completeBaselines(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	offered := []cobra.Completion{report.LastRun}
	if store, err := report.DefaultStore(); err == nil {
		if names, err := store.Baselines(); err == nil {
			offered = append(offered, names...)
		}
	}
	return offered, cobra.ShellCompDirectiveDefault
}

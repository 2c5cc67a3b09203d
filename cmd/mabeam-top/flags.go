package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mabeam-top/internal/atomicfile"
	"mabeam-top/internal/stress/profile"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/report/format"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/ui/theme"
)

// flags are the flags of the command line. Their values are texts until they are
// checked, so that all errors are reported together.
type flags struct {
	files, folders, tags, sets, outputs []string

	headless, json, events, quiet, ascii bool
	record, metrics                      string
	profiles                             profile.Files

	repeat, seed, timeout, tolerance string

	// baseline is the report that the run is compared with, and saveBaseline the name
	// under which the run is saved.
	baseline, saveBaseline  string
	failOnRegression, force bool
	isolate, color, fps     string
	theme                   string
	screenReader            bool
}

// The values of --isolate and --color.
const (
	auto   = "auto"
	always = "always"
	never  = "never"
)

var whens = []string{auto, always, never}

// flagGroup is the annotation with the group of a flag in the help.
const flagGroup = "group"

// The groups of flags, in the order of the help.
const (
	groupSelect   = "Select scenarios"
	groupOverride = "Override parameters"
	groupCompare  = "Compare with a baseline"
	groupOutput   = "Output"
	// Profiles do not cover warm-ups and the time between repetitions.
	groupProfiles   = "Profiles of the measured part, for go tool pprof and go tool trace"
	groupAppearance = "Appearance"
	groupOther      = "Other"
)

// addCatalogueFlags adds the flags that select scenario files.
func (a *app) addCatalogueFlags(set *pflag.FlagSet) {
	set.StringArrayVarP(&a.flags.files, "file", "f", nil, "add the scenarios in `FILE` (repeatable; - is standard input)")
	set.StringArrayVar(&a.flags.folders, "scenarios", nil, "add the scenario files (.yaml, .yml) in `DIR` (repeatable)")
}

// addRunFlags adds the flags of a run.
func (a *app) addRunFlags(set *pflag.FlagSet) {
	f := &a.flags
	group := func(name string, define func()) {
		before := make(map[string]bool)
		set.VisitAll(func(flag *pflag.Flag) { before[flag.Name] = true })
		define()
		set.VisitAll(func(flag *pflag.Flag) {
			if !before[flag.Name] {
				flag.Annotations = map[string][]string{flagGroup: {name}}
				if flag.Value.Type() == "string" {
					flag.DefValue = "" // the usage has it
				}
			}
		})
	}
	group(groupSelect, func() {
		a.addCatalogueFlags(set)
		set.StringArrayVar(&f.tags, "tag", nil, "run the scenarios with `TAG` (repeatable)")
	})
	group(groupOverride, func() {
		set.StringArrayVar(&f.sets, "set", nil, "set a parameter of one step, or of every step that has it: `[STEP.]PARAM=VALUE` (repeatable)")
		set.StringVar(&f.repeat, "repeat", "", "run `N` repetitions of each step")
		set.StringVar(&f.seed, "seed", "", "use the random seed `N`")
		set.StringVar(&f.timeout, "timeout", "", "stop a scenario after the duration `D`, such as 90s")
		set.StringVar(&f.tolerance, "tolerance", "", "set the tolerance of baselines to `P`, such as 20%")
		set.StringVar(&f.isolate, "isolate", auto, "run the load in a child process: `WHEN` is auto (default; with the UI, and for steps that limit or kill their process), always or never")
	})
	group(groupCompare, func() {
		set.StringVar(&f.baseline, "baseline", "", "compare with `NAME|FILE|last`: a saved baseline, a JSON report, or the previous run of the same scenarios")
		set.StringVar(&f.saveBaseline, "save-baseline", "", "save the report as baseline `NAME`")
		a.addRegressionFlags(set)
	})
	group(groupOutput, func() {
		set.BoolVar(&f.headless, "headless", false, "run without the UI: progress on standard error, report on standard output")
		set.BoolVar(&f.json, "json", false, "print the report as JSON; implies --headless")
		set.BoolVar(&f.events, "events", false, "print the event stream as JSON lines instead of a report; implies --headless")
		set.StringArrayVarP(&f.outputs, "output", "o", nil, "also write the report to `FILE`, in the format of its extension: .json, .txt, .xml (JUnit), .md, .html or .csv (repeatable)")
		set.StringVar(&f.record, "record", "", "also write the event stream to `FILE`, for the commands report and replay")
		set.StringVar(&f.metrics, "metrics", "", "serve OpenMetrics on http://`ADDR`/metrics during the run: PORT, :PORT or HOST:PORT (without HOST only for this machine)")
		set.BoolVar(&f.quiet, "quiet", false, "do not print progress")
	})
	group(groupProfiles, func() {
		set.StringVar(&f.profiles.CPU, "cpuprofile", "", "write a CPU profile of all repetitions to `FILE`")
		set.StringVar(&f.profiles.Memory, "memprofile", "", "write an allocation profile of all repetitions to `FILE`")
		set.StringVar(&f.profiles.Trace, "trace", "", "write an execution trace of the first repetition to `FILE`")
	})
	group(groupAppearance, func() { a.addAppearanceFlags(set) })
}

// addAppearanceFlags adds the flags for the appearance of the UI.
func (a *app) addAppearanceFlags(set *pflag.FlagSet) {
	f := &a.flags
	set.StringVar(&f.color, "color", auto, "use colors: `WHEN` is auto (default; on a terminal, unless NO_COLOR is set), always or never")
	set.StringVar(&f.theme, "theme", theme.Names()[0], "color theme of the UI: `NAME` is "+strings.Join(theme.Names(), ", "))
	set.BoolVar(&f.ascii, "ascii", false, "use only ASCII characters")
	set.BoolVar(&f.screenReader, "screen-reader", false, "print lines of text and read typed commands instead of drawing a screen")
	set.StringVar(&f.fps, "fps", "4", "draw the UI `N` times per second (default 4)")
}

// settings are the checked flags of a run.
type settings struct {
	overrides scenario.Overrides
	fps       int
}

// settings checks the flags. The error joins all errors.
func (f *flags) settings() (settings, error) {
	var s settings
	var problems []error
	wrong := func(flag, expected, got string) {
		problems = append(problems, fmt.Errorf("--%s: expected %s, not %q", flag, expected, got))
	}
	if f.json && f.events {
		problems = append(problems, errors.New("--json and --events both write to standard output; use only one (the event stream ends with the report)"))
	}
	var err error
	s.overrides, err = overrides(f.sets, map[string]string{"repeat": f.repeat, "seed": f.seed, "timeout": f.timeout, "tolerance": f.tolerance})
	if err != nil {
		problems = append(problems, err)
	}
	if !slices.Contains(whens, f.isolate) {
		wrong("isolate", "auto, always or never", f.isolate)
	}
	if s.fps, err = f.appearance(); err != nil {
		problems = append(problems, err)
	}
	if f.saveBaseline != "" {
		if err := checkSaveBaseline(f.saveBaseline); err != nil {
			problems = append(problems, fmt.Errorf("--save-baseline: %w", err))
		}
	}
	if f.failOnRegression && f.baseline == "" {
		problems = append(problems, errors.New("--fail-on-regression needs --baseline"))
	}
	problems = append(problems, f.checkFiles()...)
	return s, errors.Join(problems...)
}

// checkFiles checks before the run that the output files can be written. It creates and
// changes no file.
func (f *flags) checkFiles() []error {
	type file struct{ flag, path string }
	var files []file
	for _, path := range f.outputs {
		files = append(files, file{"output", path})
	}
	files = append(files, file{"record", f.record}, file{"cpuprofile", f.profiles.CPU}, file{"memprofile", f.profiles.Memory}, file{"trace", f.profiles.Trace})
	var problems []error
	writers := make(map[string]string)
	for _, file := range files {
		if file.path == "" {
			continue
		}
		place := canonicalPath(file.path)
		if err := checkFile(file.flag, file.path, writers[place]); err != nil {
			problems = append(problems, fmt.Errorf("--%s %s: %w", file.flag, file.path, err))
		}
		writers[place] = file.flag
	}
	return problems
}

// checkFile checks one output file; other is an earlier flag with the same file, or
// empty.
func checkFile(flag, path, other string) error {
	_, known := format.Of(path)
	switch {
	case flag == "output" && !known:
		return fmt.Errorf("unknown format; the extension must be one of %s", strings.Join(format.Endings(), ", "))
	case other == flag:
		return errors.New("given twice")
	case other != "":
		return errors.New("another flag writes to the same file")
	case !isDir(filepath.Dir(path)):
		return fmt.Errorf("there is no directory %s", filepath.Dir(path))
	}
	if err := atomicfile.CheckWritable(path); err != nil {
		return fmt.Errorf("cannot write it: %w", err)
	}
	return nil
}

// canonicalPath returns the same path for two paths of the same file, whether the file
// exists or not.
func canonicalPath(path string) string {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if target, err := filepath.EvalSymlinks(absolute); err == nil {
		return target
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(absolute)); err == nil {
		return filepath.Join(dir, filepath.Base(absolute))
	}
	return absolute
}

// checkSaveBaseline checks that a baseline can be saved under the name.
func checkSaveBaseline(name string) error {
	if err := report.CheckBaselineName(name); err != nil {
		return err
	}
	store, err := report.DefaultStore()
	if err != nil {
		return err
	}
	return store.CheckSaveBaseline(name)
}

// overrides parses the flags that override values in every scenario. An empty flag
// overrides nothing. The errors are stress.Problems.
func overrides(sets []string, flags map[string]string) (scenario.Overrides, error) {
	o := scenario.Overrides{Set: sets}
	var problems scenario.Problems
	wrong := func(flag, expected string) {
		problems = append(problems, scenario.Problem{File: "--" + flag, Message: fmt.Sprintf("expected %s, not %q", expected, flags[flag])})
	}
	if text := flags["repeat"]; text != "" {
		n, err := strconv.Atoi(text)
		o.Repeat = &n
		if err != nil {
			wrong("repeat", "a whole number such as 5")
		}
	}
	if text := flags["seed"]; text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		o.Seed = &n
		if err != nil {
			wrong("seed", "a whole number from 0 to 2^64-1 such as 42")
		}
	}
	if text := flags["timeout"]; text != "" {
		d, err := time.ParseDuration(text)
		o.Timeout = &d
		if err != nil {
			wrong("timeout", "a duration such as 90s or 5m")
		}
	}
	if text := flags["tolerance"]; text != "" {
		r, err := scenario.ParseRatio(text)
		o.Tolerance = &r
		if err != nil {
			wrong("tolerance", "a share such as 20% or 0.2")
		}
	}
	if len(problems) > 0 {
		return scenario.Overrides{}, problems
	}
	return o, nil
}

// checkColor checks --color.
func (f *flags) checkColor() error {
	if !slices.Contains(whens, f.color) {
		return fmt.Errorf("--color: expected auto, always or never, not %q", f.color)
	}
	return nil
}

// appearance checks the flags for the appearance of the UI, and returns the frames per
// second.
func (f *flags) appearance() (fps int, err error) {
	problems := []error{f.checkColor()}
	if !slices.Contains(theme.Names(), f.theme) {
		problems = append(problems, fmt.Errorf("--theme: expected one of %s, not %q", strings.Join(theme.Names(), ", "), f.theme))
	}
	if fps, err = strconv.Atoi(f.fps); err != nil || fps < 1 || fps > 60 {
		problems = append(problems, fmt.Errorf("--fps: expected a whole number from 1 to 60, not %q", f.fps))
	}
	return fps, errors.Join(problems...)
}

// given returns the flags on the command line as words.
func given(set *pflag.FlagSet) []string {
	var words []string
	set.Visit(func(flag *pflag.Flag) {
		switch value := flag.Value.(type) {
		case pflag.SliceValue:
			for _, one := range value.GetSlice() {
				words = append(words, "--"+flag.Name, one)
			}
		default:
			if value.Type() == "bool" {
				words = append(words, "--"+flag.Name+strings.TrimPrefix("="+value.String(), "=true"))
				return
			}
			words = append(words, "--"+flag.Name, value.String())
		}
	})
	return words
}

// emptyFlags returns an error for each flag with an empty value, for example from a
// script whose variable is not set. Such a flag would otherwise count as missing.
func emptyFlags(set *pflag.FlagSet) error {
	var problems []error
	set.Visit(func(flag *pflag.Flag) {
		values := []string{flag.Value.String()}
		if several, ok := flag.Value.(pflag.SliceValue); ok {
			values = several.GetSlice()
		}
		if slices.Contains(values, "") {
			problems = append(problems, needsValue(flag))
		}
	})
	return errors.Join(problems...)
}

func needsValue(flag *pflag.Flag) error {
	placeholder, _ := pflag.UnquoteUsage(flag)
	return fmt.Errorf("--%s needs a value: --%[1]s %s", flag.Name, placeholder)
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// flagError returns a readable error for a wrong flag.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var valueless *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		return fmt.Errorf("unknown flag --%s%s", unknown.GetSpecifiedName(), flagHint(cmd, unknown.GetSpecifiedName()))
	case errors.As(err, &unknown):
		return fmt.Errorf("unknown flag -%s; see %s --help", unknown.GetSpecifiedName(), cmd.CommandPath())
	case errors.As(err, &valueless):
		return needsValue(valueless.GetFlag())
	case errors.As(err, &invalid):
		return fmt.Errorf("--%s: expected true or false, not %q", invalid.GetFlag().Name, invalid.GetValue())
	}
	return err
}

// flagHint suggests a flag for an unknown one.
func flagHint(cmd *cobra.Command, name string) string {
	var known []string
	cmd.Flags().VisitAll(func(flag *pflag.Flag) { known = append(known, flag.Name) })
	if nearest := scenario.Nearest(name, known); nearest != "" {
		return fmt.Sprintf("; did you mean --%s?", nearest)
	}
	return fmt.Sprintf("; see %s --help", cmd.CommandPath())
}

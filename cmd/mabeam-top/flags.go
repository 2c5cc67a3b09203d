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
	"mabeam-top/internal/ui"
)

// flags are what the command line says, as it was written. All of it is a text
// until it is checked, so that everything that is wrong is told at once.
type flags struct {
	files, folders, tags, sets, outputs []string

	headless, json, events, quiet, ascii bool
	record, metrics                      string
	profiles                             profile.Files

	repeat, seed, timeout, tolerance string

	// baseline and saveBaseline are what the run is compared with, and the
	// name that it is saved under.
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

// flagGroup is the annotation that tells under what a flag stands in the help.
const flagGroup = "group"

// The groups of flags, in the order of the help.
const (
	groupWhat   = "What runs"
	groupChange = "Changing it for this run"
	groupBefore = "Comparing it with an earlier run"
	groupOutput = "Output"
	groupLooks  = "Looks"
	// Warm-ups and what is between repetitions are in none of them.
	groupProfiles = "Profiles of the measured part, for go tool pprof and go tool trace"
	groupOther    = "Other"
)

// addCatalogueFlags adds the flags that every command has which needs the
// catalogue.
func (a *app) addCatalogueFlags(set *pflag.FlagSet) {
	set.StringArrayVarP(&a.flags.files, "file", "f", nil, "add the scenarios of this `FILE` (repeatable; - is standard input)")
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
					flag.DefValue = "" // its text tells what matters
				}
			}
		})
	}
	group(groupWhat, func() {
		a.addCatalogueFlags(set)
		set.StringArrayVar(&f.tags, "tag", nil, "run the scenarios with this `TAG` (repeatable)")
	})
	group(groupChange, func() {
		set.StringArrayVar(&f.sets, "set", nil, "set a parameter, `[STEP.]PARAM=VALUE`, of one step or of every step that has it (repeatable)")
		set.StringVar(&f.repeat, "repeat", "", "measure each step `N` times")
		set.StringVar(&f.seed, "seed", "", "draw all randomness from `N`")
		set.StringVar(&f.timeout, "timeout", "", "give each scenario at most this long, `D`, such as 90s")
		set.StringVar(&f.tolerance, "tolerance", "", "let baselines be missed by `P`, such as 20%")
		set.StringVar(&f.isolate, "isolate", auto, "run the load in a child process: `WHEN` is auto (the default: with the UI, and what limits or may end its process), always or never")
	})
	group(groupBefore, func() {
		set.StringVar(&f.baseline, "baseline", "", "compare with this report: `NAME|FILE|last` is a saved baseline, a JSON report, or the newest run of the same scenarios")
		set.StringVar(&f.saveBaseline, "save-baseline", "", "save the report as the baseline `NAME`")
		a.addRegressionFlags(set)
	})
	group(groupOutput, func() {
		set.BoolVar(&f.headless, "headless", false, "no UI: progress on standard error, the report on standard output")
		set.BoolVar(&f.json, "json", false, "the report as JSON on standard output; implies --headless")
		set.BoolVar(&f.events, "events", false, "the event stream as JSON lines on standard output instead of a report; implies --headless")
		set.StringArrayVarP(&f.outputs, "output", "o", nil, "also write the report to this `FILE`, as what it ends in: .json, .txt, .xml (JUnit), .md, .html or .csv (repeatable)")
		set.StringVar(&f.record, "record", "", "also write the event stream to this `FILE`, for the command report")
		set.StringVar(&f.metrics, "metrics", "", "serve OpenMetrics on http://`ADDR`/metrics while running: PORT, :PORT or HOST:PORT (without a host for this machine only)")
		set.BoolVar(&f.quiet, "quiet", false, "no progress")
	})
	group(groupProfiles, func() {
		set.StringVar(&f.profiles.CPU, "cpuprofile", "", "write where the processors' time went to this `FILE`, of all repetitions")
		set.StringVar(&f.profiles.Memory, "memprofile", "", "write what was allocated to this `FILE`, by all repetitions")
		set.StringVar(&f.profiles.Trace, "trace", "", "write an execution trace of the first repetition to this `FILE`")
	})
	group(groupLooks, func() { a.addLooksFlags(set) })
}

// addLooksFlags adds the flags of how the UI looks.
func (a *app) addLooksFlags(set *pflag.FlagSet) {
	f := &a.flags
	set.StringVar(&f.color, "color", auto, "`WHEN` to use colours: auto (the default: on a terminal, unless NO_COLOR is set), always or never")
	set.StringVar(&f.theme, "theme", ui.Themes()[0], "colours of the UI, `NAME`: "+strings.Join(ui.Themes(), ", "))
	set.BoolVar(&f.ascii, "ascii", false, "draw and write nothing but ASCII")
	set.BoolVar(&f.screenReader, "screen-reader", false, "no screen but lines of words and figures, and commands that are typed")
	set.StringVar(&f.fps, "fps", "4", "draw the UI `N` times a second (the default is 4)")
}

// settings are the flags of a run, checked.
type settings struct {
	overrides scenario.Overrides
	fps       int
}

// settings checks the flags. The error joins everything that is wrong.
func (f *flags) settings() (settings, error) {
	var s settings
	var problems []error
	wrong := func(flag, expected, got string) {
		problems = append(problems, fmt.Errorf("--%s: expected %s, not %q", flag, expected, got))
	}
	if f.json && f.events {
		problems = append(problems, errors.New("--json and --events both write to standard output; choose one (--events ends with the report)"))
	}
	var err error
	s.overrides, err = overrides(f.sets, map[string]string{"repeat": f.repeat, "seed": f.seed, "timeout": f.timeout, "tolerance": f.tolerance})
	if err != nil {
		problems = append(problems, err)
	}
	if !slices.Contains(whens, f.isolate) {
		wrong("isolate", "auto, always or never", f.isolate)
	}
	if s.fps, err = f.looks(); err != nil {
		problems = append(problems, err)
	}
	if f.saveBaseline != "" {
		if err := checkSaveBaseline(f.saveBaseline); err != nil {
			problems = append(problems, fmt.Errorf("--save-baseline: %w", err))
		}
	}
	if f.failOnRegression && f.baseline == "" {
		problems = append(problems, errors.New("--fail-on-regression needs a --baseline to compare with"))
	}
	problems = append(problems, f.checkFiles()...)
	return s, errors.Join(problems...)
}

// checkFiles checks that the files which the flags name can be written, so that
// no run is made whose results would be lost. It leaves no file behind, and
// those that are there as they are.
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
		place := placeOf(file.path)
		if err := checkFile(file.flag, file.path, writers[place]); err != nil {
			problems = append(problems, fmt.Errorf("--%s %s: %w", file.flag, file.path, err))
		}
		writers[place] = file.flag
	}
	return problems
}

// checkFile checks one of them; other is the flag before it that writes to the
// same place, and empty if none does.
func checkFile(flag, path, other string) error {
	_, known := format.Of(path)
	switch {
	case flag == "output" && !known:
		return fmt.Errorf("the format is told by the ending, which is none of %s", strings.Join(format.Endings(), ", "))
	case other == flag:
		return errors.New("it is there twice")
	case other != "":
		return errors.New("another flag writes to it too")
	case !isFolder(filepath.Dir(path)):
		return fmt.Errorf("there is no folder %s", filepath.Dir(path))
	}
	if err := atomicfile.CheckWritable(path); err != nil {
		return fmt.Errorf("cannot be written: %w", err)
	}
	return nil
}

// placeOf returns the same text for two paths that lead to the same file, whether
// it is there yet or not.
func placeOf(path string) string {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if target, err := filepath.EvalSymlinks(absolute); err == nil {
		return target
	}
	if folder, err := filepath.EvalSymlinks(filepath.Dir(absolute)); err == nil {
		return filepath.Join(folder, filepath.Base(absolute))
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

// overrides reads the flags that change every scenario; an empty one changes
// nothing. What cannot be read is a stress.Problem of the flag.
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

// checkColor checks --color, which several commands have.
func (f *flags) checkColor() error {
	if !slices.Contains(whens, f.color) {
		return fmt.Errorf("--color: expected auto, always or never, not %q", f.color)
	}
	return nil
}

// looks checks the flags of how the UI looks, and returns how often a second it
// is drawn.
func (f *flags) looks() (fps int, err error) {
	problems := []error{f.checkColor()}
	if !slices.Contains(ui.Themes(), f.theme) {
		problems = append(problems, fmt.Errorf("--theme: expected one of %s, not %q", strings.Join(ui.Themes(), ", "), f.theme))
	}
	if fps, err = strconv.Atoi(f.fps); err != nil || fps < 1 || fps > 60 {
		problems = append(problems, fmt.Errorf("--fps: expected a whole number from 1 to 60, not %q", f.fps))
	}
	return fps, errors.Join(problems...)
}

// given returns the flags that were given, as words of a command line.
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

// emptyFlags tells of the flags that were given without a text, as by a script
// whose variable is not set. Each would else be taken as not given.
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

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// flagError says what is wrong with a flag as a user would.
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

// flagHint suggests the flag that was meant.
func flagHint(cmd *cobra.Command, name string) string {
	var known []string
	cmd.Flags().VisitAll(func(flag *pflag.Flag) { known = append(known, flag.Name) })
	if nearest := scenario.Nearest(name, known); nearest != "" {
		return fmt.Sprintf("; did you mean --%s?", nearest)
	}
	return fmt.Sprintf("; see %s --help", cmd.CommandPath())
}

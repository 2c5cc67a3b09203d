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

	"mabeam-top/internal/stress"
)

// flags are what the command line says, as it was written. All of it is a text
// until it is checked, so that everything that is wrong is told at once.
type flags struct {
	files, folders, tags, sets, outputs []string

	headless, json, events, quiet, ascii bool

	repeat, seed, timeout, tolerance string
	isolate, color, fps              string
}

// The values of --isolate and --color.
const (
	auto   = "auto"
	always = "always"
	never  = "never"
)

// outputFormats are the endings of report files.
var outputFormats = []string{".json", ".txt"}

// flagGroup is the annotation that tells under what a flag stands in the help.
const flagGroup = "group"

// The groups of flags, in the order of the help.
const (
	groupWhat   = "What runs"
	groupChange = "Changing it for this run"
	groupOutput = "Output"
	groupLooks  = "Looks"
	groupOther  = "Other"
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
		set.StringVar(&f.isolate, "isolate", auto, "run the load in a child process: `WHEN` is auto (the default: with the UI), always or never")
	})
	group(groupOutput, func() {
		set.BoolVar(&f.headless, "headless", false, "no UI: progress on standard error, the report on standard output")
		set.BoolVar(&f.json, "json", false, "the report as JSON on standard output; implies --headless")
		set.BoolVar(&f.events, "events", false, "the event stream as JSON lines on standard output instead of a report; implies --headless")
		set.StringArrayVarP(&f.outputs, "output", "o", nil, "also write the report to this `FILE`, as what it ends in: .json or .txt (repeatable)")
		set.BoolVar(&f.quiet, "quiet", false, "no progress")
	})
	group(groupLooks, func() {
		set.StringVar(&f.color, "color", auto, "`WHEN` to use colours: auto (the default: on a terminal, unless NO_COLOR is set), always or never")
		set.BoolVar(&f.ascii, "ascii", false, "draw and write nothing but ASCII")
		set.StringVar(&f.fps, "fps", "4", "draw the UI `N` times a second (the default is 4)")
	})
}

// settings are the flags of a run, checked.
type settings struct {
	overrides stress.Overrides
	fps       int
}

// settings checks the flags. The error joins everything that is wrong.
func (f *flags) settings() (settings, error) {
	s := settings{overrides: stress.Overrides{Set: f.sets}}
	var faults []error
	wrong := func(flag, expected, got string) {
		faults = append(faults, fmt.Errorf("--%s: expected %s, not %q", flag, expected, got))
	}
	if f.json && f.events {
		faults = append(faults, errors.New("--json and --events both write to standard output; choose one (--events ends with the report)"))
	}
	if f.repeat != "" {
		n, err := strconv.Atoi(f.repeat)
		s.overrides.Repeat = &n
		if err != nil {
			wrong("repeat", "a whole number such as 5", f.repeat)
		}
	}
	if f.seed != "" {
		n, err := strconv.ParseUint(f.seed, 10, 64)
		s.overrides.Seed = &n
		if err != nil {
			wrong("seed", "a whole number from 0 to 2^64-1 such as 42", f.seed)
		}
	}
	if f.timeout != "" {
		d, err := time.ParseDuration(f.timeout)
		s.overrides.Timeout = &d
		if err != nil {
			wrong("timeout", "a duration such as 90s or 5m", f.timeout)
		}
	}
	if f.tolerance != "" {
		r, err := stress.ParseRatio(f.tolerance)
		s.overrides.Tolerance = &r
		if err != nil {
			wrong("tolerance", "a share such as 20% or 0.2", f.tolerance)
		}
	}
	for _, choice := range []struct{ flag, value string }{{"isolate", f.isolate}, {"color", f.color}} {
		if !slices.Contains([]string{auto, always, never}, choice.value) {
			wrong(choice.flag, "auto, always or never", choice.value)
		}
	}
	var err error
	if s.fps, err = strconv.Atoi(f.fps); err != nil || s.fps < 1 || s.fps > 60 {
		wrong("fps", "a whole number from 1 to 60", f.fps)
	}
	for i, path := range f.outputs {
		switch ending := strings.ToLower(filepath.Ext(path)); {
		case !slices.Contains(outputFormats, ending):
			faults = append(faults, fmt.Errorf("--output %s: the format is told by the ending, which is none of %s", path, strings.Join(outputFormats, ", ")))
		case slices.Contains(f.outputs[:i], path):
			faults = append(faults, fmt.Errorf("--output %s: it is there twice", path))
		case !isFolder(filepath.Dir(path)):
			faults = append(faults, fmt.Errorf("--output %s: there is no folder %s", path, filepath.Dir(path)))
		}
	}
	return s, errors.Join(faults...)
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
		placeholder, _ := pflag.UnquoteUsage(valueless.GetFlag())
		return fmt.Errorf("--%s needs a value: --%[1]s %s", valueless.GetFlag().Name, placeholder)
	case errors.As(err, &invalid):
		return fmt.Errorf("--%s: expected true or false, not %q", invalid.GetFlag().Name, invalid.GetValue())
	}
	return err
}

// flagHint suggests the flag that was meant.
func flagHint(cmd *cobra.Command, name string) string {
	var known []string
	cmd.Flags().VisitAll(func(flag *pflag.Flag) { known = append(known, flag.Name) })
	if nearest := stress.Nearest(name, known); nearest != "" {
		return fmt.Sprintf("; did you mean --%s?", nearest)
	}
	return fmt.Sprintf("; see %s --help", cmd.CommandPath())
}

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// folder contains the patches, one for each defect, below the root of the module.
const folder = "internal/stress/measure/testdata/defects"

// patched is where patches may change files, below the root of the module.
const patched = "internal/runtime/"

// A defect is one planted defect of the runtime.
type defect struct {
	name      string
	sentence  string   // what is wrong
	scenarios []string // that exercise the defect
	expected  []check  // any of them detects the defect
	smoke     bool     // whether the tag smoke must detect it
	fast      bool     // whether it belongs to the subset for CI
	uncaught  string   // why no scenario can detect it in reasonable time, or empty
	patch     []byte   // the whole file: git skips the header
	files     []string // that the patch changes or adds, below the root
}

// healthy is the name of the build without a defect, which must pass.
const healthy = "healthy"

// A check is one metric of one step of a scenario.
type check struct {
	scenario, step string
	// metric is a metric, a statistic of one (NAME.p99, NAME.p999), findings for a finding
	// of the step, or error for a step with the verdict error.
	metric string
}

func (c check) String() string { return c.scenario + "/" + c.step + " " + c.metric }

// readDefects reads all defects below root, in the order of their names.
func readDefects(root string) ([]defect, error) {
	files, err := filepath.Glob(filepath.Join(root, folder, "*.patch"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no patches in %s", filepath.Join(root, folder))
	}
	var defects []defect
	var errs []error
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		d, err := parseDefect(strings.TrimSuffix(filepath.Base(file), ".patch"), content)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file, err))
		}
		defects = append(defects, d)
	}
	return defects, errors.Join(errs...)
}

// parseDefect reads a patch with its header: lines of "key: value" up to the
// first empty line.
func parseDefect(name string, content []byte) (defect, error) {
	d := defect{name: name, patch: content}
	header, diff, ok := strings.Cut(string(content), "\n\n")
	if !ok {
		return d, errors.New("no empty line between the header and the diff")
	}
	seen := map[string]bool{}
	for i, line := range strings.Split(header, "\n") {
		key, value, ok := strings.Cut(line, ": ")
		if !ok || value == "" {
			return d, fmt.Errorf("line %d: %q is not \"key: value\"", i+1, line)
		}
		if seen[key] && key != "caught-by" {
			return d, fmt.Errorf("line %d: second %q", i+1, key)
		}
		seen[key] = true
		if err := d.set(key, value); err != nil {
			return d, fmt.Errorf("line %d: %s: %w", i+1, key, err)
		}
	}
	for _, key := range []string{"defect", "scenarios", "caught-by", "smoke"} {
		if !seen[key] {
			return d, fmt.Errorf("no %q in the header", key)
		}
	}
	for line := range strings.Lines(diff) {
		file, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "+++ b/")
		if !ok {
			continue
		}
		if !strings.HasPrefix(file, patched) || !fs.ValidPath(file) {
			return d, fmt.Errorf("changes %s, which is not below %s", file, patched)
		}
		d.files = append(d.files, file)
	}
	if len(d.files) == 0 {
		return d, errors.New("no diff")
	}
	return d, nil
}

// set sets a field from a line of the header.
func (d *defect) set(key, value string) (err error) {
	switch key {
	case "defect":
		d.sentence = value
	case "scenarios":
		d.scenarios = strings.Split(value, ", ")
	case "caught-by":
		var c check
		c, err = parseCheck(value)
		d.expected = append(d.expected, c)
	case "smoke":
		d.smoke, err = parseYes(value)
	case "fast":
		d.fast, err = parseYes(value)
	case "uncaught":
		d.uncaught = value
	default:
		err = errors.New("unknown key")
	}
	return err
}

func parseYes(value string) (bool, error) {
	if value != "yes" && value != "no" {
		return false, fmt.Errorf("%q is neither yes nor no", value)
	}
	return value == "yes", nil
}

// parseCheck reads "SCENARIO/STEP METRIC".
func parseCheck(text string) (check, error) {
	place, metric, ok := strings.Cut(text, " ")
	scenario, step, ok2 := strings.Cut(place, "/")
	if !ok || !ok2 || scenario == "" || step == "" || metric == "" || strings.Contains(metric, " ") {
		return check{}, fmt.Errorf("%q is not \"SCENARIO/STEP METRIC\"", text)
	}
	return check{scenario, step, metric}, nil
}

// choose returns the defects with the given names, or all of them, or with fast those of
// the subset for CI. The healthy build comes first, unless the names exclude it.
func choose(all []defect, names []string, fast bool) ([]defect, error) {
	var chosen []defect
	for _, d := range all {
		if (len(names) == 0 || slices.Contains(names, d.name)) && (!fast || d.fast) {
			chosen = append(chosen, d)
		}
	}
	for _, name := range names {
		if name != healthy && !slices.ContainsFunc(all, func(d defect) bool { return d.name == name }) {
			return nil, fmt.Errorf("unknown defect %q: there is no %s/%s.patch", name, folder, name)
		}
	}
	if len(names) > 0 && !slices.Contains(names, healthy) {
		return chosen, nil
	}
	build := defect{name: healthy, sentence: "The runtime without a defect."}
	of := chosen
	if len(of) == 0 {
		of = all
	}
	for _, d := range of {
		build.scenarios = append(build.scenarios, d.scenarios...)
	}
	slices.Sort(build.scenarios)
	build.scenarios = slices.Compact(build.scenarios)
	return append([]defect{build}, chosen...), nil
}

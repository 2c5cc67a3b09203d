package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	measurements "mabeam-top/internal/stress/measure"
	"mabeam-top/scenarios"
)

func readAll(t *testing.T) (root string, defects []defect) {
	t.Helper()
	root, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	if defects, err = readDefects(root); err != nil {
		t.Fatal(err)
	}
	return root, defects
}

// builtin returns the text of each built-in scenario by its name.
func builtin(t *testing.T) map[string]string {
	t.Helper()
	files, err := fs.Glob(scenarios.Files, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`(?m)^name: *(\S+)`)
	texts := map[string]string{}
	for _, file := range files {
		text, err := fs.ReadFile(scenarios.Files, file)
		if err != nil {
			t.Fatal(err)
		}
		found := name.FindSubmatch(text)
		if found == nil {
			t.Fatalf("%s has no name", file)
		}
		texts[string(found[1])] = string(text)
	}
	return texts
}

func TestDefectsNameBuiltInScenarios(t *testing.T) {
	_, defects := readAll(t)
	texts := builtin(t)
	for _, d := range defects {
		for _, name := range d.scenarios {
			if _, ok := texts[name]; !ok {
				t.Errorf("%s: scenarios: there is no scenario %q", d.name, name)
			}
		}
		for _, c := range d.expected {
			if _, ok := texts[c.scenario]; !ok {
				t.Errorf("%s: caught-by: there is no scenario %q", d.name, c.scenario)
			}
			if !slices.Contains(d.scenarios, c.scenario) {
				t.Errorf("%s: caught-by: %q is not among its scenarios", d.name, c.scenario)
			}
		}
		if d.sentence[len(d.sentence)-1] != '.' {
			t.Errorf("%s: defect: %q is not a sentence", d.name, d.sentence)
		}
	}
}

func TestDefectsNameMetrics(t *testing.T) {
	known := map[string]bool{"error": true, "findings": true}
	for _, m := range measurements.Catalogue() {
		for _, metric := range m.Metrics {
			known[metric.Name] = true
		}
	}
	_, defects := readAll(t)
	for _, d := range defects {
		for _, c := range d.expected {
			if name, _, _ := strings.Cut(c.metric, "."); !known[name] {
				t.Errorf("%s: caught-by: no measurement has a metric %q", d.name, name)
			}
		}
	}
}

func TestPatchesApply(t *testing.T) {
	root, defects := readAll(t)
	for _, d := range defects {
		work := filepath.Join(t.TempDir(), "work")
		if err := os.Mkdir(work, 0o755); err != nil {
			t.Fatal(err)
		}
		err := d.apply(t.Context(), root, work)
		if errors.Is(err, errNoGit) {
			t.Skip(err)
		}
		if err != nil {
			t.Errorf("%s: %v", d.name, err)
		}
	}
}

func TestParseDefectNamesWhatIsWrong(t *testing.T) {
	const header = "defect: It fails.\nscenarios: a, b\ncaught-by: a/b m\nsmoke: yes\n"
	const diff = "\n--- a/internal/runtime/x.go\n+++ b/internal/runtime/x.go\n@@ -1 +1 @@\n-a\n+b\n"
	for _, c := range []struct{ name, text, want string }{
		{"complete", header + diff, ""},
		{"no diff", header + "\nnothing\n", "no diff"},
		{"no empty line", header, "no empty line"},
		{"missing key", strings.Replace(header, "smoke: yes\n", "", 1) + diff, `no "smoke"`},
		{"unknown key", "colour: red\n" + header + diff, "unknown key"},
		{"second key", header + "smoke: no\n" + diff, `second "smoke"`},
		{"not yes or no", strings.Replace(header, "yes", "maybe", 1) + diff, "neither yes nor no"},
		{"bad check", strings.Replace(header, "a/b m", "a m", 1) + diff, "SCENARIO/STEP METRIC"},
		{"other folder", header + strings.ReplaceAll(diff, "internal/runtime", "cmd"), "not below"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseDefect("x", []byte(c.text))
			if got := fmt.Sprint(err); c.want == "" && err != nil || !strings.Contains(got, c.want) && c.want != "" {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestJudge(t *testing.T) {
	d := defect{name: "d", expected: []check{{"s", "t", "leaked_goroutines"}, {"s", "t", "latency_ms"}}}
	other := failure{check: check{"s", "t", "success_rate"}}
	single := failure{check: check{"s", "t", "latency_ms.max"}}
	named := failure{check: check{"s", "t", "latency_ms.p99"}}
	inSmoke := failure{check: check{"smoke", "x", "leaked_goroutines"}}
	stopped := failure{check: check{"s", "t", "error"}}
	for _, c := range []struct {
		name     string
		of       defect
		verdict  string
		failures []failure
		smoke    bool
		want     outcome
	}{
		{"expected statistic", d, "fail", []failure{other, named}, false, caught},
		{"another metric", d, "fail", []failure{other}, false, elsewhere},
		{"a single maximum", d, "fail", []failure{single}, false, noise},
		{"smoke's step", d, "fail", []failure{inSmoke}, true, caught},
		{"smoke's step in another scenario", d, "fail", []failure{inSmoke}, false, elsewhere},
		{"nothing failed", d, "warn", nil, false, missed},
		{"too slow a machine", d, "inconclusive", nil, false, inconclusive},
		{"not measured", d, "error", []failure{stopped}, false, broken},
		{"named although another step broke", d, "error", []failure{stopped, named}, false, caught},
		{"healthy", defect{name: healthy}, "pass", nil, false, sound},
		{"healthy on a busy machine", defect{name: healthy}, "inconclusive", nil, false, sound},
		{"healthy fails", defect{name: healthy}, "fail", []failure{single}, false, unsound},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := result{defect: c.of, verdict: c.verdict, failures: c.failures}
			r.judge(c.smoke)
			if r.outcome != c.want {
				t.Errorf("got %q, want %q", r.outcome, c.want)
			}
			if (r.outcome == caught) != (r.matched != nil) {
				t.Errorf("matched %v with outcome %q", r.matched, r.outcome)
			}
		})
	}
}

func TestChoose(t *testing.T) {
	all := []defect{{name: "a", scenarios: []string{"x", "y"}, fast: true}, {name: "b", scenarios: []string{"y", "z"}}}
	for _, c := range []struct {
		names []string
		fast  bool
		want  string
	}{
		{nil, false, "healthy[x y z] a[x y] b[y z]"},
		{nil, true, "healthy[x y] a[x y]"},
		{[]string{"b"}, false, "b[y z]"},
		{[]string{healthy}, false, "healthy[x y z]"},
		{[]string{healthy, "b"}, false, "healthy[y z] b[y z]"},
	} {
		chosen, err := choose(all, c.names, c.fast)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range chosen {
			got = append(got, d.name+fmt.Sprint(d.scenarios))
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("choose(%v, %v) = %s, want %s", c.names, c.fast, s, c.want)
		}
	}
	if _, err := choose(all, []string{"c"}, false); err == nil {
		t.Error("an unknown name is no error")
	}
}

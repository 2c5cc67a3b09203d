package format

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/report/reporttest"

	"github.com/mattn/go-runewidth"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (-update writes it anew); got:\n%s", path, got)
	}
}

func text(t *testing.T, r report.Report, o Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := Text.Write(&b, r, report.Timeline{}, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestText(t *testing.T) {
	for name, r := range reporttest.All() {
		t.Run(name, func(t *testing.T) { golden(t, name+".txt", []byte(text(t, r, Options{}))) })
	}
	t.Run("narrow", func(t *testing.T) { golden(t, "fail-40.txt", []byte(text(t, reporttest.Failed(), Options{Width: 40}))) })
	t.Run("wide", func(t *testing.T) { golden(t, "odd-120.txt", []byte(text(t, reporttest.Odd(), Options{Width: 120}))) })
	t.Run("ascii", func(t *testing.T) {
		golden(t, "odd-ascii.txt", []byte(text(t, reporttest.Odd(), Options{ASCII: true})))
	})
	t.Run("color", func(t *testing.T) {
		golden(t, "fail-color.txt", []byte(text(t, reporttest.Failed(), Options{Color: true})))
	})
}

var escape = regexp.MustCompile("\x1b\\[[0-9;]*m")

// Every report fits a terminal of any width.
func TestTextFits(t *testing.T) {
	all := reporttest.All()
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.SampledFrom([]string{"pass", "warn", "fail", "inconclusive", "error", "interrupted", "empty", "odd", "regression"}).Draw(rt, "report")
		o := Options{Width: rapid.IntRange(1, 200).Draw(rt, "width"), Color: rapid.Bool().Draw(rt, "color"), ASCII: rapid.Bool().Draw(rt, "ascii")}
		out := text(t, all[name], o)
		bare := out
		if o.Color {
			bare = escape.ReplaceAllString(out, "")
		}
		if o.Color != (bare != out) && o.Width > 20 {
			rt.Fatalf("colour is %v, but codes are there: %v", o.Color, bare != out)
		}
		if same := text(t, all[name], Options{Width: o.Width, ASCII: o.ASCII}); same != bare {
			rt.Fatalf("colour changes more than the colour:\n%s\n%s", same, bare)
		}
		body, _, _ := strings.Cut(bare, "\n  re-run  ")
		for _, line := range strings.Split(body, "\n") {
			if w := (&runewidth.Condition{StrictEmojiNeutral: true}).StringWidth(line); w > o.Width {
				rt.Fatalf("width %d, but a line takes %d: %q", o.Width, w, line)
			}
			if line != strings.TrimRight(line, " ") {
				rt.Fatalf("blanks at the end of %q", line)
			}
		}
		for _, r := range bare {
			if r != '\n' && unicode.IsControl(r) || r == utf8.RuneError || o.ASCII && r > unicode.MaxASCII {
				rt.Fatalf("%q is in the text", r)
			}
		}
	})
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestTextReturnsWriteErrors(t *testing.T) {
	if err := Text.Write(brokenWriter{}, reporttest.Passed(), report.Timeline{}, Options{}); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("error %v", err)
	}
}

// A comparison in which nothing could be compared is not one without changes.
func TestComparisonSummary(t *testing.T) {
	for _, c := range []struct {
		r             report.Regression
		word, summary string
	}{
		{report.Regression{Baseline: "v1", Metrics: []report.RegressionMetric{{Verdict: report.Same}, {Verdict: report.Unknown}}}, "SAME", "no regression against v1"},
		{report.Regression{Baseline: "v1", Metrics: []report.RegressionMetric{{Verdict: report.Unknown}, {Verdict: report.Unknown}}}, "INCONCLUSIVE", "no metric could be compared with v1"},
		{report.Regression{Baseline: "v1"}, "INCONCLUSIVE", "no metric could be compared with v1"},
		{report.Regression{Baseline: "v1", Detected: true, Metrics: []report.RegressionMetric{{Verdict: report.Regressed}}}, "REGRESSED", "the only metric regressed against v1"},
	} {
		if word, summary := c.r.Word(), comparisonSummary(c.r); word != c.word || summary != c.summary {
			t.Errorf("%+v: %s, %q, want %s, %q", c.r, word, summary, c.word, c.summary)
		}
	}
}

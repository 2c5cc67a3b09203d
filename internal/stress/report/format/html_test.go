package format

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/report/reporttest"
)

func TestHTMLIsValid(t *testing.T) {
	for name, r := range everything() {
		for with, c := range map[string]report.Timeline{"without timeline": {}, "with timeline": hostileTimeline()} {
			t.Run(name+" "+with, func(t *testing.T) {
				document := written(t, HTML, r, c)
				elements, _ := wellFormed(t, document)
				ids := map[string]bool{}
				for _, e := range elements {
					if slices.Contains([]string{"script", "link", "img", "iframe", "object", "form"}, e.Name.Local) {
						t.Errorf("there is a %s", e.Name.Local)
					}
					if id := attribute(e, "id"); ids[id] && id != "" {
						t.Errorf("id %s is there twice", id)
					} else {
						ids[id] = true
					}
					if href := attribute(e, "href"); href != "" && !strings.HasPrefix(href, "#s") {
						t.Errorf("a link leads to %s", href)
					}
					for _, a := range e.Attr {
						if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "src" {
							t.Errorf("%s has %s=%q", e.Name.Local, a.Name.Local, a.Value)
						}
						if strings.Contains("cx x1 x2 y1 y2 x width d", a.Name.Local) && regexp.MustCompile("NaN|Inf").MatchString(a.Value) && e.Name.Local != "meta" {
							t.Errorf("%s has %s=%q", e.Name.Local, a.Name.Local, a.Value)
						}
					}
				}
				if regexp.MustCompile(`url\(|@import|ZgotmplZ`).Match(document) {
					t.Error("the page wants something from elsewhere, or a value was refused by the template")
				}
			})
		}
	}
}

// A chart shows lines, limits, faults, repetitions and the warm-up.
func TestHTMLCharts(t *testing.T) {
	elements, text := wellFormed(t, written(t, HTML, reporttest.Failed(), timeline()))
	classes := map[string]int{}
	for _, e := range elements {
		classes[attribute(e, "class")]++
	}
	for _, class := range []string{"threshold", "baseline", "fault", "start", "warmup", "s1", "s2", "dots"} {
		if classes[class] == 0 {
			t.Errorf("nothing of class %s is drawn", class)
		}
	}
	for _, want := range []string{
		"threshold latency_ms.p99 < 5 ms", "baseline sustained_event_rate >= 8k/s", "threshold generosity < 100000 % is far above the chart",
		"kill_agents ×40 (a_0042, a_0007 and 38 more) at 14.8 s", "action_p99_ms: mean 1.43 ms, max 7 ms", "goroutines: mean 200, max 200",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(text, "failed_per_second") {
		t.Error("a probe that was 0 all the time is drawn")
	}
}

// A browser shows the page without complaints.
func TestHTMLInBrowser(t *testing.T) {
	var browser string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "headless_shell"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	if browser == "" {
		t.Skip("no Chromium is installed")
	}
	folder := t.TempDir()
	file := filepath.Join(folder, "report.html")
	if err := os.WriteFile(file, written(t, HTML, reporttest.Failed(), timeline()), 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), browser, "--headless", "--disable-gpu", "--no-sandbox", "--user-data-dir="+folder, "--dump-dom", "--enable-logging=stderr", "file://"+file)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	dom, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	for _, want := range []string{"latency_ms.p99", "<path", "</footer>"} {
		if !strings.Contains(string(dom), want) {
			t.Errorf("the browser does not show %q", want)
		}
	}
	if i := strings.Index(stderr.String(), "CONSOLE"); i >= 0 {
		t.Errorf("the browser complains: %s", stderr.String()[i:])
	}
}

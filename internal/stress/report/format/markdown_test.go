package format

import (
	"strings"
	"testing"

	"mabeam-top/internal/stress/report"
)

// No name breaks a table.
func TestMarkdownTables(t *testing.T) {
	for name, r := range everything() {
		t.Run(name, func(t *testing.T) {
			columns := 0
			for _, line := range strings.Split(string(written(t, Markdown, r, report.Timeline{})), "\n") {
				if !strings.HasPrefix(line, "|") {
					columns = 0
					continue
				}
				bars := strings.Count(strings.ReplaceAll(strings.ReplaceAll(line, `\\`, ""), `\|`, ""), "|")
				if columns == 0 {
					columns = bars
				}
				if bars != columns {
					t.Errorf("%d bars instead of %d in %s", bars, columns, line)
				}
			}
		})
	}
}

func TestMarkdownEscapes(t *testing.T) {
	for s, want := range map[string]string{
		"latency_ms.p99":           "latency_ms.p99",
		"a|b":                      `a\|b`,
		"_x_ *y* `z`":              "\\_x\\_ \\*y\\* \\`z\\`",
		"@team see #12":            "@<!-- -->team see #<!-- -->12",
		"http://x www.y":           "http:/" + "/<!-- -->x www.<!-- -->y",
		"<b>&amp;":                 `\<b\>\&amp;`,
		"- item":                   `\- item`,
		"12. item":                 `12\. item`,
		"12.5 ms":                  `12.5 ms`,
		"two\nlines":               "two lines",
		"[x](y)":                   `\[x\](y)`,
		"10.3k/s, 31 % worse, < 5": `10.3k/s, 31 % worse, \< 5`,
	} {
		if got := md(s); got != want {
			t.Errorf("%q becomes %q, want %q", s, got, want)
		}
	}
}

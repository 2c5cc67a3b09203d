package format

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mabeam-top/internal/stress/report/reporttest"
)

func TestCSVIsValid(t *testing.T) {
	for name, r := range everything() {
		t.Run(name, func(t *testing.T) {
			rows, err := csv.NewReader(bytes.NewReader(written(t, CSV, r, hostileTimeline()))).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range rows[1:] {
				for i, cell := range row {
					number := csvHeader[i] == "value"
					if _, err := strconv.ParseFloat(cell, 64); cell != "" && strings.ContainsRune("=+-@", rune(cell[0])) && (!number || err != nil) {
						t.Errorf("a spreadsheet would calculate %q", cell)
					}
					if strings.ContainsAny(cell, "\n\r\x00") || cell == "NaN" || cell == "+Inf" {
						t.Errorf("cell %q", cell)
					}
				}
			}
		})
	}
}

// CSV has each sample: of a metric by its repetition, of a probe by its time.
func TestCSVSamples(t *testing.T) {
	rows, err := csv.NewReader(bytes.NewReader(written(t, CSV, reporttest.Failed(), timeline()))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	has := func(want ...string) bool {
		return slices.ContainsFunc(rows, func(row []string) bool { return slices.Equal(row, want) })
	}
	for _, want := range [][]string{
		{"event-storm", "storm", "metric", "burst_event_rate", "value", "", "", "10350", "1/s"},
		{"event-storm", "storm", "metric", "burst_event_rate", "sample", "3", "", "13200", "1/s"},
		{"event-storm", "storm", "metric", "latency_ms", "p99", "", "", "8.4", "ms"},
		{"event-storm", "storm", "metric", "latency_ms", "count", "", "", "495210", "count"},
		{"event-storm", "storm", "probe", "heap_bytes", "max", "", "", "4.12e+07", "bytes"},
		{"event-storm", "storm", "probe", "offered_per_second", "sample", "2", "15.000", "20000", "1/s"},
		{"", "", "probe", "offered_per_second", "sample", "", "0.000", "20000", "1/s"},
	} {
		if !has(want...) {
			t.Errorf("there is no row %q", want)
		}
	}
	if has("event-storm", "storm", "probe", "goroutines", "sample", "1", "10.500", "", "count") {
		t.Error("there is a row for what was not read")
	}
}

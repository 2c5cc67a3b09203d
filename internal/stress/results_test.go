package stress

import (
	"encoding/json"
	"testing"
	"time"

	"mabeam-top/internal/stress/load"
)

// A histogram survives its JSON.
func TestHistogramAsJSON(t *testing.T) {
	h := load.NewHistogram()
	for _, d := range []time.Duration{0, 1, 17, time.Millisecond, time.Second, 2 * time.Hour, time.Millisecond} {
		h.Record(d)
	}
	text, err := json.Marshal(sample{Value: 1.5, Histogram: h})
	if err != nil {
		t.Fatal(err)
	}
	var back sample
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if got, want := back.Histogram.Distribution(), h.Distribution(); *got != *want || back.Value != 1.5 {
		t.Errorf("%+v, want %+v", got, want)
	}
	back.Histogram.Merge(h)
	if back.Histogram.Count() != 14 {
		t.Errorf("%d values", back.Histogram.Count())
	}
	if err := json.Unmarshal([]byte(`{"buckets": {"-1": 1}}`), load.NewHistogram()); err == nil {
		t.Error("a bucket that there is not was taken")
	}
}

package scenario

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Every value is read back as it was written.
func TestNotationRoundTrip(t *testing.T) {
	fields := []Param{{Name: "share", Kind: Ratio, Default: 0.5}, {Name: "label", Kind: Text}, {Name: "size", Kind: Size, Default: int64(0)}}
	amount := rapid.Float64Range(0, 1e300)
	entry := rapid.Custom(func(t *rapid.T) Params {
		p := Params{"share": amount.Draw(t, "share"), "size": rapid.Int64Min(0).Draw(t, "size")}
		if rapid.Bool().Draw(t, "has label") {
			p["label"] = rapid.StringMatching(`[ -~é\n\t]*`).Filter(func(s string) bool { return s != none }).Draw(t, "label")
		}
		return p
	})
	duration := rapid.Map(rapid.Int64Min(0), func(n int64) time.Duration { return time.Duration(n) })
	stage := rapid.Custom(func(t *rapid.T) Stage {
		return Stage{Rate: min(amount.Draw(t, "rate"), 1e7), For: 1 + duration.Draw(t, "for")/2, Ramp: rapid.Bool().Draw(t, "ramp")}
	})
	scalar := rapid.OneOf(rapid.Int().AsAny(), rapid.Float64Range(-1e300, 1e300).AsAny(), rapid.Bool().AsAny(), rapid.String().AsAny(), rapid.Just[any](nil))
	values := map[Kind]*rapid.Generator[any]{
		Int: rapid.Int().AsAny(), Float: rapid.Float64Range(-1e300, 1e300).AsAny(), Ratio: amount.AsAny(),
		Duration: duration.AsAny(), Rate: amount.AsAny(), Size: rapid.Int64Min(0).AsAny(), Bool: rapid.Bool().AsAny(),
		Text:  rapid.StringMatching(`[ -~é\n\t]*`).AsAny(),
		Map:   rapid.MapOf(rapid.String(), scalar).AsAny(),
		List:  rapid.SliceOfN(entry, 1, 3).AsAny(),
		Table: entry.AsAny(), Stages: rapid.SliceOfN(stage, 1, 3).AsAny(),
		Ints: rapid.SliceOfN(rapid.Int(), 1, 5).AsAny(), Texts: rapid.SliceOfN(rapid.StringMatching(`[ -~]*`), 1, 5).AsAny(),
	}
	rapid.Check(t, func(t *rapid.T) {
		kind := Kind(rapid.IntRange(0, len(values)-1).Draw(t, "kind"))
		p := Param{Name: "p", Kind: kind, Fields: fields}
		want := values[kind].Draw(t, "value")
		shown := flow(encode(p, want))
		l := &problemList{}
		documents := l.documents([]byte("p: " + shown))
		if len(l.problems) > 0 {
			t.Fatalf("%s is no YAML: %v", shown, l.problems)
		}
		got, ok := l.value(p, documents[0].entries[0].value)
		if !ok || !reflect.DeepEqual(got, want) {
			t.Fatalf("%#v shows as %s, which reads as %#v (%v)", want, shown, got, l.problems)
		}
	})
}

func TestFormats(t *testing.T) {
	for got, want := range map[string]string{
		formatRatio(0.2): "20%", formatRatio(0.07): "7%", formatRatio(0): "0%", formatRatio(1.5): "150%",
		formatRatio(0.125): "12.5%", formatRatio(0.001): "0.1%", formatRatio(-0.05): "-5%", formatRatio(12): "1200%",
		formatDuration(time.Minute): "1m", formatDuration(10 * time.Minute): "10m", formatDuration(time.Hour): "1h",
		formatDuration(90 * time.Minute): "1h30m", formatDuration(0): "0s", formatDuration(10 * time.Second): "10s",
		formatSize(0): "0B", formatSize(256e6): "256MB", formatSize(256 << 20): "256MiB", formatSize(1500): "1500B",
		formatSize(1024): "1KiB", formatSize(3e12): "3TB",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

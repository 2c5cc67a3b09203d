package quantity

import "testing"

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		v    float64
		unit string
		want string
	}{
		{8.4, "ms", "8.4 ms"},
		{0.9999, "ms", "1 ms"},
		{0.99996, "ms", "1 ms"},
		{0.0022, "ms", "2.2 µs"},
		{0.000015, "ms", "15 ns"},
		{3e-7, "ms", "0.3 ns"},
		{1234.5, "ms", "1.23 s"},
		{0, "ms", "0 s"},
		{-0.5, "ms", "-500 µs"},
		{31.24, "s", "31.2 s"},
		{119.4, "s", "119 s"},
		{119.6, "s", "2 min 0 s"},
		{-150, "s", "-2 min 30 s"},
		{3725, "s", "1 h 2 min"},
		{1048576, "bytes", "1.05 MB"},
		{999.9, "bytes", "1 kB"},
		{512, "bytes", "512 B"},
		{0, "bytes", "0 B"},
		{0.25, "MB", "250 kB"},
		{-12.5, "MB", "-12.5 MB"},
		{19800, "1/s", "19.8k/s"},
		{612, "1/s", "612/s"},
		{999_900, "1/s", "1M/s"},
		{0.05, "1/s", "0.05/s"},
		{1.7e308, "1/s", "1.7e+299G/s"},
		{1000, "count", "1,000"},
		{-1234567, "count", "-1,234,567"},
		{123, "count", "123"},
		{123_456_789, "count", "123M"},
		{0.5, "count", "0.5"},
		{0.99998, "ratio", "0.99998"},
		{0.9999999, "ratio", "0.9999999"},
		{1.0000001, "ratio", "1.0000001"},
		{1, "ratio", "1"},
		{0, "ratio", "0"},
		{0.9988, "ratio", "0.999"},
		{0.836, "ratio", "0.836"},
		{123.456, "ratio", "123"},
		{2.1e-5, "ratio", "2.1e-05"},
		{1.0004, "exponent", "1.0004"},
	} {
		if got := Format(c.v, c.unit); got != c.want {
			t.Errorf("%v %s is %q, want %q", c.v, c.unit, got, c.want)
		}
	}
}

func TestPercent(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0 %", 0.39: "39 %", -0.39: "39 %", 0.004: "0.4 %", 0.0012345: "0.12 %", 1.475: "148 %", 99.9: "9990 %", 349: "×350", -5e9: "×5e+09",
	} {
		if got := Percent(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
}

// Package quantity writes numbers for people: values with their units, counts,
// percentages and clock times.
package quantity

import (
	"math"
	"strconv"
	"strings"
)

// Format returns v in its unit (ms, s, bytes, MB, 1/s, count, or anything else for a
// plain number) with three significant digits and a prefix that keeps it short: "8.4 ms",
// "19.8k/s", "1.05 MB". Prefixes are powers of 1000. Format writes counts below ten
// million in full, and never rounds a plain number to 1: a success rate of 0.99998 stays
// 0.99998. For NaN and infinities it returns "not a number".
func Format(v float64, unit string) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "not a number"
	}
	switch unit {
	case "ms":
		return duration(v / 1e3)
	case "s":
		return duration(v)
	case "bytes":
		return scaled(v, " ", byteUnits)
	case "MB":
		return scaled(v*1e6, " ", byteUnits)
	case "1/s":
		return scaled(v, "", rateUnits) + "/s"
	case "count":
		return Count(v)
	}
	return ratio(v)
}

// A scaleUnit is a name for a power of ten.
type scaleUnit struct {
	factor float64
	name   string
}

var (
	durationUnits = []scaleUnit{{1, "s"}, {1e-3, "ms"}, {1e-6, "µs"}, {1e-9, "ns"}}
	byteUnits     = []scaleUnit{{1e12, "TB"}, {1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}, {1, "B"}}
	rateUnits     = []scaleUnit{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}}
)

// duration writes seconds, and from two minutes on minutes or hours.
func duration(seconds float64) string {
	if abs := math.Abs(seconds); abs < 119.5 || abs > 1e9 {
		return scaled(seconds, " ", durationUnits)
	}
	sign := ""
	if seconds < 0 {
		sign = "-"
	}
	whole := int64(math.Round(math.Abs(seconds)))
	if whole < 3600 {
		return sign + strconv.FormatInt(whole/60, 10) + " min " + strconv.FormatInt(whole%60, 10) + " s"
	}
	return sign + strconv.FormatInt(whole/3600, 10) + " h " + strconv.FormatInt(whole%3600/60, 10) + " min"
}

// scaled writes v in the largest unit in which it is at least 1. The units go from large
// to small. Rounding comes first, so that 999.96 µs becomes 1 ms.
func scaled(v float64, space string, units []scaleUnit) string {
	if v == 0 {
		for _, u := range units {
			if u.factor == 1 {
				return "0" + space + u.name
			}
		}
	}
	rounded := round3(v)
	last := units[len(units)-1]
	for _, u := range units {
		if math.Abs(rounded) >= u.factor || u == last {
			return digits(rounded/u.factor, 3) + space + u.name
		}
	}
	return digits(v, 3)
}

// Count returns a whole number with commas between thousands ("495,210"). From ten
// million on, and for fractions, it uses a prefix ("12.3M").
func Count(v float64) string {
	if v != math.Trunc(v) || math.Abs(v) >= 1e7 {
		return scaled(v, "", rateUnits)
	}
	s := strconv.FormatInt(int64(math.Abs(v)), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	if v < 0 {
		s = "-" + s
	}
	return s
}

// ratio writes a number without a unit. It adds digits until the text differs from 1 if
// the number does.
func ratio(v float64) string {
	for precision := 3; precision < 9; precision++ {
		s := strconv.FormatFloat(v, 'g', precision, 64)
		if r, _ := strconv.ParseFloat(s, 64); r != 1 || v == 1 || math.Abs(v-1) > 0.005 {
			return digits(r, precision)
		}
	}
	return digits(v, 9)
}

// Number returns v with three significant digits and no unit.
func Number(v float64) string { return digits(round3(v), 3) }

// Percent returns the absolute value of a share as a percentage: "12 %", "0.4 %". From a
// hundredfold on it returns a factor instead: "×350".
func Percent(share float64) string {
	percent := 100 * math.Abs(share)
	switch {
	case percent >= 10_000:
		return "×" + Number(1+math.Abs(share))
	case percent >= 10:
		return strconv.FormatFloat(percent, 'f', 0, 64) + " %"
	}
	return digits(round3(percent), 2) + " %"
}

// round3 rounds to three significant digits.
func round3(v float64) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 2, 64), 64)
	if err != nil {
		return v // rounding up would overflow
	}
	return r
}

// digits writes v with so many significant digits, and without an exponent where that
// stays short.
func digits(v float64, precision int) string {
	abs := math.Abs(v)
	if v != 0 && (abs < 1e-3 || abs >= 1e6) {
		return strconv.FormatFloat(v, 'g', precision, 64)
	}
	decimals := precision - 1
	if v != 0 {
		decimals = max(0, precision-1-int(math.Floor(math.Log10(abs))))
	}
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

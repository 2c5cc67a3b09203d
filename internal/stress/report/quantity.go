package report

import (
	"math"
	"strconv"
	"strings"
)

// Quantity writes a value of a metric for people: three significant digits in
// a unit of handy size, such as "8.4 ms", "19.8k/s" or "1.05 MB". Decimal
// prefixes are powers of 1000. Counts up to ten million are written out. A
// value that is nearly but not quite 1 does not become 1: a success rate of
// 0.99998 stays that. What is not finite is "not a number".
func Quantity(v float64, unit string) string {
	if !Finite(v) {
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
		return count(v)
	}
	return ratio(v)
}

// Text writes a metric's value of any kind for people; "not measured" for
// nil.
func (m Metric) Text() string {
	switch v := m.Value.(type) {
	case float64:
		return Quantity(v, m.Unit)
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case string:
		return v
	}
	return "not measured"
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

// duration writes seconds; from two minutes on in minutes and hours.
func duration(seconds float64) string {
	switch abs := math.Abs(seconds); {
	case abs < 119.5 || abs > 1e9:
		return scaled(seconds, " ", durationUnits)
	default:
		whole := int64(math.Round(seconds))
		sign := ""
		if whole < 0 {
			sign, whole = "-", -whole
		}
		if whole < 3600 {
			return sign + strconv.FormatInt(whole/60, 10) + " min " + strconv.FormatInt(whole%60, 10) + " s"
		}
		return sign + strconv.FormatInt(whole/3600, 10) + " h " + strconv.FormatInt(whole%3600/60, 10) + " min"
	}
}

// scaled writes v in the largest of the units (given from large to small) in
// which it is at least 1. Rounding comes first, so that 999.96 µs is 1 ms.
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
			return digits3(rounded/u.factor) + space + u.name
		}
	}
	return digits3(v)
}

// count writes whole numbers with a comma between thousands, larger ones with
// a prefix.
func count(v float64) string {
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

// ratio writes a number without a unit, and never 1 for what is not.
func ratio(v float64) string {
	for precision := 3; precision < 9; precision++ {
		s := strconv.FormatFloat(v, 'g', precision, 64)
		if r, _ := strconv.ParseFloat(s, 64); r != 1 || v == 1 || math.Abs(v-1) > 0.005 {
			return digits(r, precision)
		}
	}
	return digits(v, 9)
}

// round3 rounds to three significant digits.
func round3(v float64) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 2, 64), 64)
	if err != nil {
		return v // rounding up went over the largest number
	}
	return r
}

// digits3 writes v with three significant digits and without an exponent
// where that stays short.
func digits3(v float64) string { return digits(v, 3) }

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

// Percent writes the size of a share for people, without its sign: "12 %",
// "0.4 %"; from a hundredfold on as a factor, "×350".
func Percent(share float64) string {
	percent := 100 * math.Abs(share)
	switch {
	case percent >= 10_000:
		return "×" + digits3(round3(1+math.Abs(share)))
	case percent >= 10:
		return strconv.FormatFloat(percent, 'f', 0, 64) + " %"
	}
	return digits(round3(percent), 2) + " %"
}

package theme

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"mabeam-top/internal/stress/quantity"
)

// Share is n of what there is room for; 0 if there is none.
func Share(n, of int) float64 {
	if of <= 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// Seconds formats a duration in seconds.
func Seconds(v float64) string { return quantity.Format(v, "s") }

// ClockTenths formats a time of the run, in seconds, to a tenth of a second.
func ClockTenths(t float64) string {
	t = max(t, 0)
	return fmt.Sprintf("%s.%d", quantity.Clock(t), int(math.Floor(math.Mod(t, 1)*10)))
}

// Timestamp formats t as local date and time.
func Timestamp(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

// The units of probes. Those of metrics have the same names as in a report.
const (
	PerSecond = "1/s"
	Millis    = "ms"
	Bytes     = "bytes"
	Count     = "count"
	Ratio     = "ratio"
	// Only probes have these.
	Percent        = "percent"
	BytesPerSecond = "bytes/s"
)

// Number formats a value with a constant number of digits, so that text around a
// changing value does not move.
func Number(v float64, unit string) string {
	switch unit {
	case Percent:
		return strconv.FormatFloat(v, 'f', 0, 64) + " %"
	case Ratio:
		return strconv.FormatFloat(100*v, 'f', 1, 64) + " %"
	case BytesPerSecond:
		return threeDigits(quantity.Format(v, Bytes)) + "/s"
	case Count:
		return quantity.Format(v, unit)
	default:
		return threeDigits(quantity.Format(v, unit))
	}
}

// threeDigits pads a quantity to three digits: 20k/s becomes 20.0k/s. It leaves
// integers without an SI prefix alone.
func threeDigits(text string) string {
	end := strings.IndexFunc(text, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if end < 1 {
		return text
	}
	number, rest := text[:end], text[end:]
	digits := len(strings.TrimLeft(strings.ReplaceAll(number, ".", ""), "0"))
	if digits == 0 || digits >= 3 || rest == "/s" || rest == " B" {
		return text
	}
	if !strings.Contains(number, ".") {
		number += "."
	}
	return number + strings.Repeat("0", 3-digits) + rest
}

// Signed formats a ratio as a percentage with its sign: +64 %, -12 %.
func Signed(share float64) string {
	if share < 0 {
		return "-" + quantity.Percent(share)
	}
	return "+" + quantity.Percent(share)
}

// Approx formats the size of a ratio as a percentage. Less than 0.05 % is 0 %.
func Approx(share float64) string {
	if math.Abs(share) < 0.0005 {
		return "0 %"
	}
	return quantity.Percent(share)
}

// SignedApprox is Approx with a sign: +64 %, -12 %, 0 %.
func SignedApprox(share float64) string {
	text := Approx(share)
	switch {
	case text == "0 %":
		return text
	case share < 0:
		return "-" + text
	}
	return "+" + text
}

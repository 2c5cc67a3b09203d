package scenario

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// sizeUnits are the units of a Size in bytes, the largest first.
var sizeUnits = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40},
	{"TB", 1e12},
	{"GiB", 1 << 30},
	{"GB", 1e9},
	{"MiB", 1 << 20},
	{"MB", 1e6},
	{"KiB", 1 << 10},
	{"kB", 1e3},
	{"B", 1},
}

var (
	ratioForm    = regexp.MustCompile(`^(-?(?:[0-9]+\.?[0-9]*|\.[0-9]+))%$`)
	durationForm = regexp.MustCompile(`^([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|ms|s|m|h)(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|ms|s|m|h))*$`)
	rateForm     = regexp.MustCompile(`^([0-9]+\.?[0-9]*|\.[0-9]+)/s$`)
	sizeForm     = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)(TiB|TB|GiB|GB|MiB|MB|KiB|kB|B)$`)
)

// ParseRatio reads a share in the notation of scenario files, such as 20% or 0.2.
func ParseRatio(s string) (float64, error) {
	n := &node{shape: shapeOf(s), text: s}
	v, ok := parseScalar(Ratio, n)
	if !ok {
		return 0, fmt.Errorf("expected %s, not %s", expectation(Param{Kind: Ratio}), n.describe())
	}
	return v.(float64), nil
}

// parseScalar reads a scalar as a kind. It returns false if it is not of that kind.
func parseScalar(k Kind, n *node) (any, bool) {
	number := n.shape == integer || n.shape == decimal
	switch k {
	case Int:
		if n.shape == integer {
			v, err := strconv.Atoi(n.text)
			return v, err == nil
		}
	case Float:
		if number {
			v, err := strconv.ParseFloat(n.text, 64)
			return v, err == nil
		}
	case Ratio:
		s := n.text
		if percent := ratioForm.FindStringSubmatch(s); n.shape == text && percent != nil {
			// Shifting the decimal point in the text rounds once, a division by 100
			// would round twice.
			s = percent[1] + "e-2"
		} else if !number {
			return nil, false
		}
		v, err := strconv.ParseFloat(s, 64)
		return v, err == nil
	case Duration:
		if n.shape == text && durationForm.MatchString(n.text) {
			v, err := time.ParseDuration(n.text)
			return v, err == nil
		}
	case Rate:
		if parts := rateForm.FindStringSubmatch(n.text); n.shape == text && parts != nil {
			v, err := strconv.ParseFloat(parts[1], 64)
			return v, err == nil
		}
	case Size:
		if n.shape == text {
			return parseSize(n.text)
		}
	case Bool:
		if n.shape == boolean {
			return strings.EqualFold(n.text, "true"), true
		}
	case Text:
		return n.text, n.shape == text
	}
	return nil, false
}

// parseSize reads a size, which is a whole number of bytes: 1.5kB is valid, 1.5B is not.
func parseSize(s string) (any, bool) {
	parts := sizeForm.FindStringSubmatch(s)
	if parts == nil {
		return nil, false
	}
	size, ok := new(big.Rat).SetString(parts[1])
	if !ok {
		return nil, false
	}
	for _, unit := range sizeUnits {
		if unit.name == parts[2] {
			size.Mul(size, new(big.Rat).SetInt64(unit.bytes))
		}
	}
	if !size.IsInt() || !size.Num().IsInt64() {
		return nil, false
	}
	return size.Num().Int64(), true
}

func formatNumber(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// formatRatio returns a share in percent. It shifts the decimal point in the text, so
// parsing the text gives the same number.
func formatRatio(v float64) string {
	whole, fraction, _ := strings.Cut(formatNumber(v), ".")
	for len(fraction) < 2 {
		fraction += "0"
	}
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	whole = strings.TrimLeft(whole+fraction[:2], "0")
	if whole == "" {
		whole = "0"
	}
	if fraction = fraction[2:]; fraction != "" {
		fraction = "." + fraction
	}
	return sign + whole + fraction + "%"
}

// formatDuration returns a duration without trailing zeros: 1m instead of 1m0s.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// formatSize returns a size in the largest unit in which it is a whole number.
func formatSize(size int64) string {
	for _, unit := range sizeUnits {
		if size != 0 && size%unit.bytes == 0 {
			return strconv.FormatInt(size/unit.bytes, 10) + unit.name
		}
	}
	return "0B"
}

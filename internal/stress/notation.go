package stress

import (
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// none is how a scenario file says that an optional parameter is left out, or
// that a step is held against no baseline.
const none = "none"

// stageParams are the keys of one entry of a Stages parameter.
var stageParams = []Param{
	{Name: "rate", Kind: Rate, Max: 1e7, Doc: "Operations per second, at the end of the stage if it is a ramp."},
	{Name: "for", Kind: Duration, Min: 1e-9, Doc: "How long the stage takes."},
	{Name: "ramp", Kind: Bool, Default: false, Doc: "Whether the rate changes evenly from that of the stage before (from 0 for the first)."},
}

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

// ParseRatio reads a share in the notation of scenario files, such as 20% or
// 0.2.
func ParseRatio(s string) (float64, error) {
	n := &node{shape: shapeOf(s), text: s}
	v, ok := parseScalar(Ratio, n)
	if !ok {
		return 0, fmt.Errorf("expected %s, not %s", expectation(Param{Kind: Ratio}), n.describe())
	}
	return v.(float64), nil
}

// Encode returns the parameters as the JSON report and the events tell them:
// numbers, booleans, texts, lists and mappings as themselves, and what has a
// unit (durations, rates, sizes, and ratios with their %) as a text in the
// notation of a scenario file.
func Encode(p Params, params []Param) map[string]any {
	return plain(encodeTable(p, params)).(map[string]any)
}

// value reads a node as a parameter of its kind. It returns false after it
// told a problem, or where a problem was told before.
func (l *problemList) value(p Param, n *node) (any, bool) {
	switch n.shape {
	case broken:
		return nil, false
	case sequence:
		switch p.Kind {
		case List, Ints, Texts, Stages:
			return l.list(p, n)
		}
	case mapping:
		switch p.Kind {
		case Table:
			return l.table(n, p.Name, p.Fields)
		case Map:
			return l.free(n)
		}
	default:
		if v, ok := parseScalar(p.Kind, n); ok {
			return v, l.allowed(p, v, n)
		}
	}
	hint := ""
	switch {
	case p.Kind == Text && n.shape != empty && n.text != "":
		hint = "; put it in quotes to make it a text"
	case (p.Kind == Duration || p.Kind == Rate || p.Kind == Size) && (n.shape == integer || n.shape == decimal):
		hint = " without a unit"
	}
	l.add(n.position, "%s: expected %s, not %s%s", p.Name, expectation(p), n.describe(), hint)
	return nil, false
}

// parseScalar reads a scalar of a kind that is one.
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
			// Shifting the decimal point in the text never rounds twice, as
			// a division by 100 would.
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

// parseSize reads a whole number of bytes; 1.5kB is one, 1.5B is not.
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

// expectation says what a parameter's value should look like.
func expectation(p Param) string {
	switch p.Kind {
	case Int:
		return "a whole number such as 1000"
	case Float:
		return "a number such as 1.5"
	case Ratio:
		return "a share such as 20% or 0.2"
	case Duration:
		return "a duration such as 5s or 200ms"
	case Rate:
		return "a rate such as 10000/s"
	case Size:
		return "a size in whole bytes such as 256MB or 64KiB"
	case Bool:
		return "true or false"
	case Text:
		if len(p.Choices) > 0 {
			return oneOf(p.Choices)
		}
		return "a text"
	case Map:
		return "a mapping such as {KEY: VALUE}"
	case List:
		return fmt.Sprintf("a list such as [{%s: …}] with %s", p.Fields[0].Name, strings.Join(names(p.Fields), ", "))
	case Table:
		return fmt.Sprintf("a mapping such as {%s: …} with %s", p.Fields[0].Name, strings.Join(names(p.Fields), ", "))
	case Stages:
		return "a list such as [{rate: 1000/s, for: 2s, ramp: true}]"
	case Ints:
		return "a list of whole numbers such as [10, 100]"
	case Texts:
		if len(p.Choices) > 0 {
			return "a list of " + strings.Join(p.Choices, ", ")
		}
		return "a list of texts such as [one, two]"
	}
	panic(fmt.Sprintf("stress: parameter %s has the unknown kind %d", p.Name, p.Kind))
}

func names(params []Param) []string {
	all := make([]string, len(params))
	for i, p := range params {
		all[i] = p.Name
	}
	return all
}

// allowed holds a scalar of the right kind against the parameter's limits.
func (l *problemList) allowed(p Param, v any, n *node) bool {
	if s, ok := v.(string); ok {
		switch i := strings.IndexFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }); {
		case i >= 0:
			l.add(n.position, "%s: the text has a control character; leave it out", p.Name)
			return false
		case len(p.Choices) > 0 && !slices.Contains(p.Choices, s):
			l.add(n.position, "%s: unknown value %q%s", p.Name, shorten(s), didYouMean(s, p.Choices))
			return false
		}
		return true
	}
	amount, ok := amountOf(v)
	if !ok || p.Min == 0 && p.Max == 0 {
		return true
	}
	switch {
	case amount < p.Min:
		l.add(n.position, "%s: %s is too small; the least is %s", p.Name, n.text, amountText(p.Kind, p.Min))
	case p.Max >= p.Min && amount > p.Max:
		l.add(n.position, "%s: %s is too large; the most is %s", p.Name, n.text, amountText(p.Kind, p.Max))
	default:
		return true
	}
	return false
}

// amountOf returns the number that Min and Max bound.
func amountOf(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case time.Duration:
		return v.Seconds(), true
	}
	return 0, false
}

// amountText returns a Min or Max in the notation of its kind.
func amountText(k Kind, limit float64) string {
	switch k {
	case Duration:
		return formatDuration(time.Duration(limit * float64(time.Second)))
	case Rate:
		return formatNumber(limit) + "/s"
	case Size:
		return formatSize(int64(limit))
	case Ratio:
		return formatRatio(limit)
	}
	return formatNumber(limit)
}

// table reads a mapping of parameters and fills in the defaults of those that
// it leaves out. The owner is whose parameters they are.
func (l *problemList) table(n *node, owner string, params []Param) (Params, bool) {
	before := len(l.problems)
	values := Params{}
	given := l.keys(n, owner, names(params))
	for _, p := range params {
		e, ok := given[p.Name]
		if !ok {
			if p.Default != nil {
				values[p.Name] = complete(p, p.Default)
			}
			continue
		}
		if p.Default == nil && e.value.text == none {
			continue
		}
		if v, ok := l.value(p, e.value); ok {
			values[p.Name] = v
		}
	}
	return values, len(l.problems) == before
}

// list reads a list of the parameter's kind.
func (l *problemList) list(p Param, n *node) (any, bool) {
	if len(n.items) == 0 && (p.Default == nil || reflect.ValueOf(p.Default).Len() > 0) {
		l.add(n.position, "%s: the list is empty; expected %s", p.Name, expectation(p))
		return nil, false
	}
	before := len(l.problems)
	var list any
	switch p.Kind {
	case Ints:
		p.Kind = Int
		list = readAll(n, func(item *node) (int, bool) {
			v, ok := l.value(p, item)
			i, _ := v.(int)
			return i, ok
		})
	case Texts:
		p.Kind = Text
		list = readAll(n, func(item *node) (string, bool) {
			v, ok := l.value(p, item)
			s, _ := v.(string)
			return s, ok
		})
	case List:
		p.Kind = Table
		list = readAll(n, func(item *node) (Params, bool) {
			v, ok := l.value(p, item)
			t, _ := v.(Params)
			return t, ok
		})
	case Stages:
		p.Kind, p.Fields = Table, stageParams
		list = readAll(n, func(item *node) (Stage, bool) { return l.stage(p, item) })
	}
	return list, len(l.problems) == before
}

func readAll[T any](n *node, read func(*node) (T, bool)) []T {
	all := make([]T, 0, len(n.items))
	for _, item := range n.items {
		if v, ok := read(item); ok {
			all = append(all, v)
		}
	}
	return all
}

func (l *problemList) stage(p Param, n *node) (Stage, bool) {
	v, ok := l.value(p, n)
	if !ok {
		return Stage{}, false
	}
	t := v.(Params)
	if !t.Has("rate") || !t.Has("for") {
		l.add(n.position, "%s: a stage needs a rate and how long it is for, such as {rate: 1000/s, for: 2s}", p.Name)
		return Stage{}, false
	}
	return Stage{Rate: t.Float("rate"), For: t.Duration("for"), Ramp: t.Bool("ramp")}, true
}

// free reads a value that no parameter describes.
func (l *problemList) free(n *node) (any, bool) {
	switch n.shape {
	case broken:
		return nil, false
	case empty:
		return nil, true
	case boolean:
		return strings.EqualFold(n.text, "true"), true
	case integer:
		if v, err := strconv.Atoi(n.text); err == nil {
			return v, true
		}
		fallthrough
	case decimal:
		v, err := strconv.ParseFloat(n.text, 64)
		if err != nil {
			l.add(n.position, "%s is too large a number", shorten(n.text))
		}
		return v, err == nil
	case text:
		return n.text, true
	case sequence:
		before := len(l.problems)
		return readAll(n, l.free), len(l.problems) == before
	default:
		before := len(l.problems)
		keys := make([]string, len(n.entries))
		for i, e := range n.entries {
			keys[i] = e.key
		}
		values := make(map[string]any, len(n.entries))
		for key, e := range l.keys(n, "a mapping", keys) {
			if v, ok := l.free(e.value); ok {
				values[key] = v
			}
		}
		return values, len(l.problems) == before
	}
}

// complete returns a copy of a value, so that nobody shares it with the
// catalogue, in which fields that a default leaves out have their own.
func complete(p Param, v any) any {
	switch p.Kind {
	case Table:
		return completeTable(p.Fields, v.(Params))
	case List:
		list := v.([]Params)
		all := make([]Params, len(list))
		for i, entry := range list {
			all[i] = completeTable(p.Fields, entry)
		}
		return all
	case Stages:
		return slices.Clone(v.([]Stage))
	case Ints:
		return slices.Clone(v.([]int))
	case Texts:
		return slices.Clone(v.([]string))
	case Map:
		return maps.Clone(v.(map[string]any))
	}
	return v
}

func completeTable(params []Param, given Params) Params {
	values := Params{}
	for _, p := range params {
		if v := given[p.Name]; v != nil {
			values[p.Name] = complete(p, v)
		} else if p.Default != nil {
			values[p.Name] = complete(p, p.Default)
		}
	}
	return values
}

// A notation is a text in the notation of scenario files that needs no
// quotes there, such as 5s.
type notation string

// A field is a key with its value, in a mapping that has an order.
type field struct {
	key   string
	value any
}

// encodeTable returns the parameters that have a value, in the order in which
// they were declared.
func encodeTable(p Params, params []Param) []field {
	fields := make([]field, 0, len(params))
	for _, param := range params {
		if v := p[param.Name]; v != nil {
			fields = append(fields, field{param.Name, encode(param, v)})
		}
	}
	return fields
}

// encode turns a value into what YAML and JSON have: numbers, booleans,
// texts, notations, lists and mappings.
func encode(p Param, v any) any {
	switch p.Kind {
	case Ratio:
		return notation(formatRatio(v.(float64)))
	case Duration:
		return notation(formatDuration(v.(time.Duration)))
	case Rate:
		return notation(formatNumber(v.(float64)) + "/s")
	case Size:
		return notation(formatSize(v.(int64)))
	case Table:
		return encodeTable(v.(Params), p.Fields)
	case List:
		return encodeAll(v.([]Params), func(entry Params) any { return encodeTable(entry, p.Fields) })
	case Ints:
		return encodeAll(v.([]int), func(i int) any { return i })
	case Texts:
		return encodeAll(v.([]string), func(s string) any { return s })
	case Stages:
		return encodeAll(v.([]Stage), func(s Stage) any {
			return encodeTable(Params{"rate": s.Rate, "for": s.For, "ramp": s.Ramp}, stageParams)
		})
	}
	return v
}

func encodeAll[T any](list []T, encode func(T) any) []any {
	all := make([]any, len(list))
	for i, v := range list {
		all[i] = encode(v)
	}
	return all
}

// plain turns what encode returned into what encoding/json knows.
func plain(v any) any {
	switch v := v.(type) {
	case notation:
		return string(v)
	case []field:
		m := make(map[string]any, len(v))
		for _, f := range v {
			m[f.key] = plain(f.value)
		}
		return m
	case []any:
		return encodeAll(v, plain)
	}
	return v
}

func formatNumber(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// formatRatio returns a share in percent, its decimal point shifted in the
// text so that parsing it gives the same number again.
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

// formatDuration is time.Duration.String without the zeros at its end: 1m
// instead of 1m0s.
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

// formatSize returns a size in the largest unit in which it is whole.
func formatSize(size int64) string {
	for _, unit := range sizeUnits {
		if size != 0 && size%unit.bytes == 0 {
			return strconv.FormatInt(size/unit.bytes, 10) + unit.name
		}
	}
	return "0B"
}

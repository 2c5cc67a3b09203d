package scenario

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// none is the value of an optional parameter that is not given, and the baseline of a
// step that is compared with none.
const none = "none"

// stageParams are the keys of one entry of a Stages parameter.
var stageParams = []Param{
	{Name: "rate", Kind: Rate, Max: 1e7, Doc: "Operations per second; in a ramp, those at its end."},
	{Name: "for", Kind: Duration, Min: 1e-9, Doc: "Length of the stage."},
	{Name: "ramp", Kind: Bool, Default: false, Doc: "Whether the rate changes evenly from that of the previous stage (from 0 in the first)."},
}

// value reads a node as a parameter of its kind. It returns false if there is a problem,
// new or already reported.
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
		hint = "; put it in quotes"
	case (p.Kind == Duration || p.Kind == Rate || p.Kind == Size) && (n.shape == integer || n.shape == decimal):
		hint = " without a unit"
	}
	l.add(n.position, "%s: expected %s, not %s%s", p.Name, expectation(p), n.describe(), hint)
	return nil, false
}

// expectation describes the values of a parameter.
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
	panic(fmt.Sprintf("scenario: parameter %s has the unknown kind %d", p.Name, p.Kind))
}

func names(params []Param) []string {
	all := make([]string, len(params))
	for i, p := range params {
		all[i] = p.Name
	}
	return all
}

// allowed checks a scalar of the right kind against the limits of the parameter.
func (l *problemList) allowed(p Param, v any, n *node) bool {
	if s, ok := v.(string); ok {
		switch i := strings.IndexFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }); {
		case i >= 0:
			l.add(n.position, "%s: the text contains a control character; remove it", p.Name)
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
		l.add(n.position, "%s: %s is too small; the minimum is %s", p.Name, n.text, amountText(p.Kind, p.Min))
	case p.Max >= p.Min && amount > p.Max:
		l.add(n.position, "%s: %s is too large; the maximum is %s", p.Name, n.text, amountText(p.Kind, p.Max))
	default:
		return true
	}
	return false
}

// amountOf returns the number that Min and Max limit.
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

// table reads a mapping of parameters and fills in the defaults of those that are missing.
// The owner names the mapping.
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

// list reads a list of a kind.
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
		list = readAll[int](l, p, n)
	case Texts:
		p.Kind = Text
		list = readAll[string](l, p, n)
	case List:
		p.Kind = Table
		list = readAll[Params](l, p, n)
	case Stages:
		p.Kind, p.Fields = Table, stageParams
		list = collect(n, func(item *node) (Stage, bool) { return l.stage(p, item) })
	}
	return list, len(l.problems) == before
}

// readAll reads each item of a list as a parameter with values of type T.
func readAll[T any](l *problemList, p Param, n *node) []T {
	return collect(n, func(item *node) (T, bool) {
		v, ok := l.value(p, item)
		t, _ := v.(T)
		return t, ok
	})
}

// collect reads each item of a list, and leaves out those with a problem.
func collect[T any](n *node, read func(*node) (T, bool)) []T {
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
		l.add(n.position, "%s: a stage needs rate and for, such as {rate: 1000/s, for: 2s}", p.Name)
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
			l.add(n.position, "the number %s is too large", shorten(n.text))
		}
		return v, err == nil
	case text:
		return n.text, true
	case sequence:
		before := len(l.problems)
		return collect(n, l.free), len(l.problems) == before
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

// complete returns a copy of a value, which is not shared with the catalogue. Missing
// fields of a default get their own defaults.
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

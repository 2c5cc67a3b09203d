// Package describe formats states of agents for people.
package describe

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

const (
	// longestState is the maximum length of a text in bytes.
	longestState = 2 << 10
	// shownEntries is how many elements of a list are shown, and the size up to which a map
	// is shown. shownDepth is how many levels of nested values are shown.
	shownEntries, shownDepth = 16, 4
)

// Value formats a state much like the verb %+v. It reads only as much of the state as it shows,
// so the cost does not depend on the size of the state: it shows the first elements of a long list
// and only the size of a large map, and stops when the text is long enough. For the same reason it
// calls no formatting methods of the state, except those of errors, times and named numbers.
func Value(state any) string {
	if state == nil {
		return "none"
	}
	if sized, ok := state.(interface{ MemoryBytes() int64 }); ok && sized.MemoryBytes() > 1<<20 {
		return fmt.Sprintf("%T of %d bytes", state, sized.MemoryBytes())
	}
	d := description{}
	d.value(reflect.ValueOf(state), 0)
	text := strings.ToValidUTF8(d.text.String(), "?")
	if len(text) > longestState {
		text = strings.ToValidUTF8(text[:longestState], "") + "…"
	}
	return text
}

// A description is the text of a value, while it is built.
type description struct{ text strings.Builder }

// isFull reports whether the text is long enough.
func (d *description) isFull() bool { return d.text.Len() > longestState }

// value adds a value that is nested depth levels deep.
func (d *description) value(v reflect.Value, depth int) {
	switch {
	case d.isFull():
	case !v.IsValid():
		d.text.WriteString("<nil>")
	case d.spoken(v):
	case v.Kind() == reflect.String:
		s := v.String()
		d.text.WriteString(s[:min(len(s), longestState+1)])
	case isPlain(v.Kind()):
		fmt.Fprintf(&d.text, "%v", v)
	case isNil(v):
		d.text.WriteString("<nil>")
	case depth == shownDepth:
		d.text.WriteString("…")
	default:
		d.composed(v, depth)
	}
}

// spoken adds a value that has a short text of its own. It returns false for any other value.
func (d *description) spoken(v reflect.Value) bool {
	if !v.CanInterface() || v.Kind() == reflect.Pointer && v.IsNil() {
		return false
	}
	short := false
	switch v.Interface().(type) {
	case error, time.Time:
		short = true
	case fmt.Stringer:
		short = isPlain(v.Kind())
	}
	if short {
		text := fmt.Sprintf("%v", v.Interface()) // recovers from a panic
		d.text.WriteString(text[:min(len(text), longestState+1)])
	}
	return short
}

// isPlain reports whether a value of a kind is at most a few words long and has no nested
// values.
func isPlain(k reflect.Kind) bool {
	return k >= reflect.Bool && k <= reflect.Complex128 || k == reflect.Chan || k == reflect.Func || k == reflect.UnsafePointer
}

func isNil(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return v.IsNil()
	}
	return false
}

// composed adds a value that has nested values.
func (d *description) composed(v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Pointer:
		d.text.WriteByte('&')
		d.value(v.Elem(), depth) // a cycle ends at shownDepth, because it contains a struct or a list
	case reflect.Interface:
		d.value(v.Elem(), depth)
	case reflect.Struct:
		d.fields(v, depth+1)
	case reflect.Map:
		d.entries(v, depth+1)
	default:
		d.elements(v, depth+1)
	}
}

func (d *description) fields(v reflect.Value, depth int) {
	d.text.WriteByte('{')
	for i := 0; i < v.NumField() && !d.isFull(); i++ {
		if i > 0 {
			d.text.WriteByte(' ')
		}
		d.text.WriteString(v.Type().Field(i).Name + ":")
		d.value(v.Field(i), depth)
	}
	d.text.WriteByte('}')
}

func (d *description) elements(v reflect.Value, depth int) {
	d.text.WriteByte('[')
	for i := 0; i < min(v.Len(), shownEntries) && !d.isFull(); i++ {
		if i > 0 {
			d.text.WriteByte(' ')
		}
		d.value(v.Index(i), depth)
	}
	if v.Len() > shownEntries {
		fmt.Fprintf(&d.text, " … %d in all", v.Len())
	}
	d.text.WriteByte(']')
}

// entries adds the entries of a small map, sorted by their texts. There is no cheap way to select
// the same entries of a large map each time.
func (d *description) entries(v reflect.Value, depth int) {
	if v.Len() > shownEntries {
		fmt.Fprintf(&d.text, "%v of %d entries", v.Type(), v.Len())
		return
	}
	type entry struct{ key, value string }
	var all []entry
	for i := v.MapRange(); i.Next(); {
		var key, value description
		key.value(i.Key(), depth)
		value.value(i.Value(), depth)
		all = append(all, entry{key.text.String(), value.text.String()})
	}
	slices.SortFunc(all, func(x, y entry) int { return cmp.Compare(x.key, y.key) })
	d.text.WriteString("map[")
	for i, e := range all {
		if i > 0 {
			d.text.WriteByte(' ')
		}
		d.text.WriteString(e.key + ":" + e.value)
	}
	d.text.WriteByte(']')
}

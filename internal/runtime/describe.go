package mabeam

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

const (
	// longestState bounds the text of an agent's state, in bytes.
	longestState = 2 << 10
	// shownEntries is how many elements of a list, and of how large a map the
	// entries, are in the text, and shownDepth how deep the text follows what they
	// hold.
	shownEntries, shownDepth = 16, 4
)

// describe returns a state as a text, much as the verb %+v has it. It looks at no more of
// the state than is in the text, however large that is: of a long list it has the first
// elements, of a large map only the size, and it ends where the text is long enough. For
// the same reason it calls no method of the state that could format it, except of errors,
// times, and numbers with names.
func describe(state any) string {
	if state == nil {
		return "none"
	}
	if sized, ok := state.(Sized); ok && sized.MemoryBytes() > 1<<20 {
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

// A description is a text that is being made of a value.
type description struct{ text strings.Builder }

// isFull reports whether nothing more is wanted.
func (d *description) isFull() bool { return d.text.Len() > longestState }

// value adds a value that is depth levels below the state.
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

// spoken adds a value that can say itself what it is in a few words, if it is one.
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
		text := fmt.Sprintf("%v", v.Interface()) // which survives a panic
		d.text.WriteString(text[:min(len(text), longestState+1)])
	}
	return short
}

// isPlain reports whether a value of a kind is no larger than a few words, and holds nothing
// that would be described too.
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

// composed adds a value that holds others.
func (d *description) composed(v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Pointer:
		d.text.WriteByte('&')
		d.value(v.Elem(), depth) // cycles end by the depth, which a struct or list adds
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

// entries adds those of a small map, in the order of their texts. Of a large one there is
// no cheap way to tell always the same ones.
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

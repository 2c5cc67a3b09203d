package describe

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

type described struct {
	Name   string
	Left   time.Duration
	Err    error
	Of     map[string]int
	Next   *described
	hidden time.Weekday
}

// sized is a state that knows its size.
type sized int64

func (s sized) MemoryBytes() int64 { return int64(s) }

// talkative counts how often it is asked for its text.
type talkative struct{ asked *int }

func (v talkative) String() string { *v.asked++; return "x" }

type terrible struct{}

func (terrible) Error() string { panic("never") }

type counted struct {
	Counter  int
	Messages []string
}

func TestDescribe(t *testing.T) {
	ring := &described{Name: "ring"}
	ring.Next = ring
	for _, c := range []struct {
		name  string
		state any
		want  string
	}{
		{"none", nil, "none"},
		{"a struct", counted{Counter: 3}, "{Counter:3 Messages:[]}"},
		{"a pointer", &counted{Counter: 3}, "&{Counter:3 Messages:[]}"},
		{"a nil pointer", (*described)(nil), "<nil>"},
		{
			"what says itself what it is",
			described{Name: "n", Left: 3 * time.Second, Err: errors.New("boom"), Of: map[string]int{"b": 2, "a": 1}, hidden: time.Tuesday},
			"{Name:n Left:3s Err:boom Of:map[a:1 b:2] Next:<nil> hidden:2}",
		},
		{"a list", []int{1, 2}, "[1 2]"},
		{"values of any type", map[any]any{"x": []any{1, nil, "s"}}, "map[x:[1 <nil> s]]"},
		{"an array", [2]bool{true}, "[true false]"},
		{"a long list", make([]byte, 3<<20), "[0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 … 3145728 in all]"},
		{"a long list inside", struct{ A []int }{make([]int, 17)}, "{A:[0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 … 17 in all]}"},
		{"a large map", largeMap(1000), "map[int]bool of 1000 entries"},
		{"what is deep", [][][][][]int{{{{{1}}}}}, "[[[[…]]]]"},
		{"a ring", ring, "&{Name:ring Left:0s Err:<nil> Of:map[] Next:&{Name:ring Left:0s Err:<nil> Of:map[] Next:&{Name:ring Left:0s Err:<nil> Of:map[] Next:&{Name:ring Left:0s Err:<nil> Of:… Next:… hidden:0} hidden:0} hidden:0} hidden:0}"},
		{"what is large by its own account", sized(2 << 20), "describe.sized of 2097152 bytes"},
		{"what panics", terrible{}, "%!v(PANIC=Error method: never)"},
		{"what is no text", "a\xffb", "a?b"},
	} {
		if got := Value(c.state); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	for _, long := range []any{[]string{strings.Repeat("ä", 4000)}, strings.Repeat("x", longestState+1), errors.New(strings.Repeat("ä", 4000))} {
		if got := Value(long); len(got) < longestState || len(got) > longestState+3 || !strings.HasSuffix(got, "…") {
			t.Errorf("a long state is a text of %d bytes", len(got))
		}
	}
}

func largeMap(n int) map[int]bool {
	m := map[int]bool{}
	for i := range n {
		m[i] = true
	}
	return m
}

// A pointer that leads to itself, and to nothing else, has an end too.
func TestDescribePointerToItself(t *testing.T) {
	var p any
	p = &p
	if got := Value(p); len(got) > longestState+3 {
		t.Errorf("a text of %d bytes", len(got))
	}
}

// What a description takes depends on the text, not on the state: no part of it is asked
// for its own text, and a state of millions of entries takes no more memory than one of a
// few.
func TestDescribeLooksAtNoMoreThanItTells(t *testing.T) {
	asked := 0
	elements := make([]talkative, 3<<20)
	for i := range elements {
		elements[i].asked = &asked
	}
	deep := make([][][]talkative, 1000)
	for i := range deep {
		deep[i] = [][]talkative{elements, elements}
	}
	large := largeMap(1 << 20)
	allocations := testing.AllocsPerRun(1, func() {
		Value(elements)
		Value(deep)
		Value(large)
		Value(map[string]any{"large": large, "elements": elements})
	})
	if asked > 0 || allocations > 2000 {
		t.Errorf("%d elements were asked, %v allocations", asked, allocations)
	}
}

func BenchmarkDescribe(b *testing.B) {
	for _, n := range []int{10, 3_000_000} {
		state := map[string]any{"list": make([]int, n), "map": largeMap(n)}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				Value(state)
			}
		})
	}
}

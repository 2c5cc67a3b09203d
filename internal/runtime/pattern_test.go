package runtime

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, eventType string
		want               bool
	}{
		{"*", "anything", true},
		{"*", "", true},
		{"**", "anything", true},
		{"demo", "demo", true},
		{"demo", "demolition", false},
		{"demo*", "demolition", true},
		{"demo*", "demo", true},
		{"demo.*", "demo", true},
		{"demo.*", "demo.x", true},
		{"demo.*", "demo_x", true},
		{"demo.*", "demolition", false}, // the original's fault
		{"demo.*", "demo.x.y", true},
		{"*.stopped", "agent_lifecycle.stopped", true},
		{"*.stopped", "agent_lifecycle_stopped", false},
		{"a*b*c", "a-b-b-c", true},
		{"a*b*c", "a-b-b", false},
		{"*b.*c", "abb.c", true},
		{"a.*.*b", "a..b", true},
		{"a.b", "a_b", false},
		{"demo.*x", "demo.x", true},
		{"demo.*x", "demox", false},
		{"é*", "été", true},
		{"é.*", "été", false},
	} {
		if got := matches(c.pattern, c.eventType); got != c.want {
			t.Errorf("matches(%q, %q) = %v", c.pattern, c.eventType, got)
		}
	}
}

func TestBadPatterns(t *testing.T) {
	s := start(t, Options{})
	for _, pattern := range []string{"", strings.Repeat("x", maxPatternLength+1)} {
		_, err := s.Bus().SubscribePattern(pattern, func(context.Context, Event) {}, SubscribeOptions{})
		if !errors.Is(err, ErrBadPattern) {
			t.Errorf("%.10q of %d bytes: %v", pattern, len(pattern), err)
		}
	}
}

// FuzzMatches holds the matcher against one that tries every way.
func FuzzMatches(f *testing.F) {
	f.Add("demo.*", "demo_x")
	f.Add("a*b.*c*", "aabbb.cc")
	f.Add("***.*", "")
	f.Fuzz(func(t *testing.T, pattern, eventType string) {
		if len(pattern) > 12 || len(eventType) > 16 {
			return // the reference is exponential
		}
		if got, want := matches(pattern, eventType), matchesEveryWay(pattern, eventType, 0, 0); got != want {
			t.Errorf("matches(%q, %q) = %v, want %v", pattern, eventType, got, want)
		}
	})
}

func matchesEveryWay(pattern, eventType string, p, t int) bool {
	switch {
	case p == len(pattern):
		return t == len(eventType)
	case pattern[p] == '*':
		return matchesEveryWay(pattern, eventType, p+1, t) ||
			t < len(eventType) && matchesEveryWay(pattern, eventType, p, t+1)
	case isBorder(pattern, p):
		return atBorder(eventType, t) && matchesEveryWay(pattern, eventType, p+1, t)
	}
	return t < len(eventType) && pattern[p] == eventType[t] && matchesEveryWay(pattern, eventType, p+1, t+1)
}

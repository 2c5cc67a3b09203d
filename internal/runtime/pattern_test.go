package mabeam

import (
	"context"
	"errors"
	"strings"
	"testing"

	"mabeam-top/internal/runtime/eventbus"
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
		if got := eventbus.Matches(c.pattern, c.eventType); got != c.want {
			t.Errorf("eventbus.Matches(%q, %q) = %v", c.pattern, c.eventType, got)
		}
	}
}

func TestBadPatterns(t *testing.T) {
	b := start(t, Options{}).Bus()
	for _, pattern := range []string{"", strings.Repeat("x", 257)} {
		_, err := b.SubscribePattern(pattern, func(context.Context, Event) {}, SubscribeOptions{})
		if !errors.Is(err, ErrBadPattern) {
			t.Errorf("%.10q of %d bytes: %v", pattern, len(pattern), err)
		}
	}
}

// FuzzMatches holds the matcher against one that follows all ways at once.
func FuzzMatches(f *testing.F) {
	f.Add("demo.*", "demo_x")
	f.Add("a*b.*c*", "aabbb.cc")
	f.Add("***.*", "")
	f.Add("a.*.*b", "a.b")
	f.Fuzz(func(t *testing.T, pattern, eventType string) {
		if got, want := eventbus.Matches(pattern, eventType), matchesPlainly(pattern, eventType); got != want {
			t.Errorf("eventbus.Matches(%q, %q) = %v, want %v", pattern, eventType, got, want)
		}
	})
}

// matchesPlainly is the rule for patterns read aloud. It keeps all places of
// the event type that the pattern so far can end at.
func matchesPlainly(pattern, eventType string) bool {
	places := make([]bool, len(eventType)+1)
	places[0] = true
	for i := 0; i < len(pattern); i++ {
		next := make([]bool, len(places))
		switch {
		case pattern[i] == '*': // anything from the first place on
			for at, reached := 0, false; at < len(places); at++ {
				reached = reached || places[at]
				next[at] = reached
			}
		case strings.HasPrefix(pattern[i:], ".*"): // only places that no word character follows
			for at := range places {
				next[at] = places[at] && (at == len(eventType) || eventType[at] < 0x80 &&
					!strings.ContainsRune("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", rune(eventType[at])))
			}
		default: // this very character
			for at := 0; at < len(eventType); at++ {
				next[at+1] = places[at] && eventType[at] == pattern[i]
			}
		}
		places = next
	}
	return places[len(eventType)]
}

package eventbus

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress/conformance"
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/resources"
)

// patternTypes are event types, and patternMatches those of them that match each pattern.
var (
	patternTypes   = []string{"demo", "demo.x", "demo.x.y", "demo_x", "demolition", "demo-", "xdemo", "xdemo.x", "aXbYc", "abc", "acb", "a.b.c", "agent.started", "agent.restarted"}
	patternMatches = map[string][]string{
		"*":          patternTypes,
		"demo":       {"demo"},
		"demo*":      {"demo", "demo.x", "demo.x.y", "demo_x", "demolition", "demo-"},
		"demo.*":     {"demo", "demo.x", "demo.x.y", "demo_x", "demo-"},
		"demo.x.*":   {"demo.x", "demo.x.y"},
		"*demo":      {"demo", "xdemo"},
		"*demo*":     {"demo", "demo.x", "demo.x.y", "demo_x", "demolition", "demo-", "xdemo", "xdemo.x"},
		"a*b*c":      {"aXbYc", "abc", "a.b.c"},
		"a*c":        {"aXbYc", "abc", "a.b.c"},
		"*.started":  {"agent.started"},
		"*started":   {"agent.started", "agent.restarted"},
		"agent.*ed":  {"agent.started", "agent.restarted"},
		"nothing.*":  {},
		"demo.x.y.z": {},
		"**":         patternTypes,
	}
)

// CheckPatterns returns how many deliveries to patterns are wrong: with patterns
// subscribed before and after their types are known, and after Unsubscribe. The event
// types have a prefix of their own, so events of other steps do not count.
func CheckPatterns(ctx context.Context, recorder conformance.Recorder, bus *mabeam.Bus) (wrong int64) {
	const prefix = "pattern.check."
	type reader struct {
		pattern string
		s       *mabeam.Subscription
		mu      sync.Mutex
		got     map[string]int
	}
	var readers []*reader
	subscribe := func() {
		for pattern := range patternMatches {
			r := &reader{pattern: pattern, got: map[string]int{}}
			s, err := bus.SubscribePattern(prefix+pattern, func(_ context.Context, e mabeam.Event) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.got[e.Type]++
			}, mabeam.SubscribeOptions{})
			if err != nil {
				recorder.Detail(fmt.Sprintf("subscribing to the pattern %q failed: %v", pattern, err), 1)
				wrong++
				continue
			}
			r.s = s
			readers = append(readers, r)
		}
	}
	// mistakes counts the types whose events did not come as often as they should, and
	// clears what was received if empty is set.
	mistakes := func(r *reader, ended, empty bool) (n int64) {
		r.mu.Lock()
		defer r.mu.Unlock()
		seen := 0
		for _, eventType := range patternTypes {
			want := 0
			if !ended && slices.Contains(patternMatches[r.pattern], eventType) {
				want = 1
			}
			got := r.got[prefix+eventType]
			seen += got
			if difference := int64(got - want); difference != 0 {
				n += max(difference, -difference)
				if empty {
					recorder.Detail(fmt.Sprintf("the pattern %q received %d events of type %q, want %d", r.pattern, got, eventType, want), 1)
				}
			}
		}
		all := 0
		for _, got := range r.got {
			all += got
		}
		if empty {
			r.got = map[string]int{}
		}
		return n + int64(all-seen) // of types that nobody published
	}
	publish := func(ended bool) {
		for _, eventType := range patternTypes {
			if err := bus.Publish(ctx, mabeam.Event{Type: prefix + eventType}); err != nil {
				recorder.Detail("publishing for a pattern failed: "+err.Error(), 1)
				wrong++
			}
		}
		if ended {
			load.Sleep(ctx, time.Millisecond)
		} else {
			resources.WaitWhile(ctx, func() bool {
				return slices.ContainsFunc(readers, func(r *reader) bool { return mistakes(r, false, false) > 0 })
			})
		}
		for _, r := range readers {
			wrong += mistakes(r, ended, true)
		}
	}
	subscribe()
	publish(false) // types that are new to the patterns
	subscribe()
	publish(false) // patterns that are new to the types
	for _, r := range readers {
		r.s.Unsubscribe()
	}
	publish(true)
	return wrong
}

package mabeam

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mabeam-top/internal/runtime/guard"
)

var errSecond = errors.New("second")

// Whichever component fails, and however, the others of its group and the
// groups before have begun, none of those after has, and the error tells which.
func TestStartNamesTheComponentThatFailed(t *testing.T) {
	failures := map[string]func() error{
		"error": func() error { return errOwn },
		"panic": func() error { panic(errOwn) },
	}
	whole := start(t, Options{}).Startup()
	for i, failing := range whole {
		var want []string
		for j, c := range whole {
			if j <= i || c.Group == failing.Group {
				want = append(want, c.Component)
			}
		}
		slices.Sort(want)
		for how, fail := range failures {
			var mu sync.Mutex
			var began []string
			_, err := Start(context.Background(), Options{OnStart: func(c string) error {
				mu.Lock()
				began = append(began, c)
				mu.Unlock()
				if c == failing.Component {
					return fail()
				}
				return nil
			}})
			told := fmt.Sprintf("start %s (%s): ", failing.Component, failing.Group)
			if !errors.Is(err, errOwn) || !strings.HasPrefix(err.Error(), told) {
				t.Errorf("%s of %s: %v", how, failing.Component, err)
			}
			slices.Sort(began)
			if !slices.Equal(began, want) {
				t.Errorf("%s of %s: began %v, want %v", how, failing.Component, began, want)
			}
		}
	}
}

func TestStartInGroups(t *testing.T) {
	var got []string
	for _, c := range start(t, Options{}).Startup() {
		got = append(got, c.Group+"/"+c.Component)
	}
	want := []string{
		"core/registry", "core/scheduler", "communication/event_bus", "communication/signals", "communication/messages", "agents/agents",
		"resources/limits", "resources/rate_limiter", "resources/circuit_breaker", "observability/telemetry",
	}
	if !slices.Equal(got, want) {
		t.Errorf("started %v, want %v", got, want)
	}
}

// The parts of a group start at the same time, each takes the time that it
// takes, and groups wait for one another.
func TestPartsOfAGroupStartSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := map[string]time.Duration{"registry": 2 * time.Second, "scheduler": 3 * time.Second, "telemetry": time.Second}
		began := time.Now()
		s := start(t, Options{OnStart: func(c string) error { time.Sleep(slow[c]); return nil }})
		if took := time.Since(began); took != 4*time.Second {
			t.Errorf("the start took %v, want the longest of each group", took)
		}
		for _, c := range s.Startup() {
			if c.Took != slow[c.Component] {
				t.Errorf("%s took %v, want %v", c.Component, c.Took, slow[c.Component])
			}
		}
	})
}

// All that fail in a group are told, and what had started is stopped, the last
// first, once the whole group has come to an end.
func TestStartFailureStopsWhatHadStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var trace []string
		note := func(what string) { trace = append(trace, what) }
		part := func(name string) component {
			return component{
				name: name, start: func() {},
				stop: func(context.Context) error { note("stop " + name); return nil },
			}
		}
		failing := func(name string, err error) component {
			return component{name: name, start: func() { panic(err) }, stop: func(context.Context) error { note("stop " + name); return nil }}
		}
		slow := part("slow")
		slow.start = func() { time.Sleep(time.Second); note("slow is ready") }
		left := part("left")
		left.start = runtime.Goexit
		s := &System{ctx: t.Context(), cancel: func() {}}
		err := s.bringUp(t.Context(), []group{
			{"one", []component{part("a"), part("b")}},
			{"two", []component{failing("c", errOwn), slow, failing("d", errSecond), left}},
			{"three", []component{part("e")}},
		})
		if !errors.Is(err, errOwn) || !errors.Is(err, errSecond) {
			t.Errorf("start: %v", err)
		}
		for _, told := range []string{"start c (two)", "start d (two)", "start left (two): goroutine ended"} {
			if !strings.Contains(err.Error(), told) {
				t.Errorf("start: %v, want %q in it", err, told)
			}
		}
		if want := []string{"slow is ready", "stop slow", "stop b", "stop a"}; !slices.Equal(trace, want) {
			t.Errorf("%v, want %v", trace, want)
		}
	})
}

func TestBadOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"limit on agents: -1":              {MaxAgents: -1},
		"limit on memory: -1":              {MemoryLimit: -1},
		"capacity of mailboxes: -1":        {Mailbox: -1},
		"queue of the bus: -1":             {BusQueue: -1},
		"policy of the bus":                {BusPolicy: Disconnect + 1},
		`"publsh": unknown operation`:      {Rates: map[guard.Operation]guard.Rate{"publsh": {PerSecond: 1}}},
		`"user.": unknown operation`:       {Rates: map[guard.Operation]guard.Rate{guard.UserPrefix: {PerSecond: 1}}},
		`"publish": 0 a second`:            {Rates: map[guard.Operation]guard.Rate{OperationPublish: {}}},
		`"signal": NaN a second`:           {Rates: map[guard.Operation]guard.Rate{OperationSignal: {PerSecond: math.NaN()}}},
		`"action": +Inf a second`:          {Rates: map[guard.Operation]guard.Rate{OperationAction: {PerSecond: math.Inf(1)}}},
		`"start_agent": a burst of -1`:     {Rates: map[guard.Operation]guard.Rate{OperationStartAgent: {PerSecond: 1, Burst: -1}}},
		"circuit breaker: failures: -1":    {Breaker: &guard.BreakerOptions{Failures: -1}},
		"circuit breaker: open for: -1ns":  {Breaker: &guard.BreakerOptions{OpenFor: -1}},
		"circuit breaker: trials: -1, wan": {Breaker: &guard.BreakerOptions{Trials: -1}},
	} {
		o.OnStart = func(c string) error { t.Errorf("%s: %s began to start", name, c); return nil }
		if _, err := Start(context.Background(), o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("want %q: %v", name, err)
		}
	}
}

// A second Stop whose deadline passes has the first one give up waiting.
func TestSecondStopHurriesTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Start(context.Background(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		hold := make(chan struct{})
		id := startAgent(t, s, Spec{Behaviour: &scripted{
			action: func(context.Context, *Agent, string, any) (any, error) { <-hold; return nil, nil },
		}})
		if err := s.Tell(t.Context(), id, "hang", nil); err != nil {
			t.Fatal(err)
		}
		first := make(chan error, 1)
		go func() { first <- s.Stop(context.Background()) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := s.Stop(ctx); !errors.Is(err, ErrTimeout) || time.Since(began) != time.Second {
			t.Errorf("the second: %v after %v", err, time.Since(began))
		}
		if err := <-first; err == nil {
			t.Error("the first told of nothing that was left")
		}
		close(hold)
	})
}

func TestOptionsWithoutSense(t *testing.T) {
	for _, o := range []Options{
		{Mailbox: math.MaxInt}, {BusQueue: math.MaxInt}, {History: math.MaxInt}, {Mailbox: -1}, {WaitTimeout: -1}, {BusPolicy: 99},
	} {
		if _, err := Start(context.Background(), o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

// A start that is given up leaves nothing.
func TestStartIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := Start(ctx, Options{OnStart: func(component string) error {
			if component == "event_bus" {
				time.Sleep(2 * time.Second)
			}
			return nil
		}})
		if !errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), "communication") {
			t.Errorf("%v", err)
		}
	})
}

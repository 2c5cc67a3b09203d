package diagnostic

import (
	"maps"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/fold"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/uitest"
)

// runWith returns a run of 30 s with changed samples, followed by more events.
func runWith(change func(t float64, sample probe.Sample), more ...stream.Event) *fold.Timeline {
	var tl fold.Timeline
	tl.Add(stream.Event{Type: stream.RunStarted, Run: &stream.Run{}})
	tl.Add(stream.Event{Type: stream.StepStarted, Step: &stream.Step{Name: "storm", Limits: []stream.Limit{
		{Metric: "latency_ms.p99", Source: "threshold", Op: "<", Value: 5, Unit: "ms", Probe: "action_p99_ms"},
		{Metric: "sustained_event_rate", Source: "baseline", Op: ">=", Value: 8000, Unit: "1/s", Tolerance: 0.2, Probe: "completed_per_second"},
	}}})
	tl.Add(stream.Event{Type: stream.RepetitionStarted, Repetition: &stream.Repetition{Step: "storm", Number: 1, Of: 1}})
	fault := false
	for i := 1; i <= 300; i++ {
		t := float64(i) / 10
		sample := uitest.Healthy(t)
		if change != nil {
			change(t, sample)
		}
		if _, ok := sample["fault"]; ok && !fault {
			fault = true
			tl.Add(stream.Event{T: t, Type: stream.FaultInjected, Fault: &stream.Fault{Step: "storm", Fault: "stall_subscribers"}})
		}
		delete(sample, "fault")
		tl.Add(stream.Event{T: t, Type: stream.SampleTaken, Sample: sample})
	}
	for _, e := range more {
		e.T = 30
		tl.Add(e)
	}
	return &tl
}

func inspected(in stream.Inspection) stream.Event {
	return stream.Event{Type: stream.SampleTaken, Sample: uitest.Healthy(30), Inspection: &in}
}

func TestFind(t *testing.T) {
	// from changes a probe from a time on.
	from := func(start float64, name probe.Name, value func(age float64) float64) func(float64, probe.Sample) {
		return func(t float64, sample probe.Sample) {
			if t >= start {
				sample[name] = value(t - start)
			}
		}
	}
	// growing changes a probe from a time on. Before that it is constant.
	growing := func(start float64, name probe.Name, value func(age float64) float64) func(float64, probe.Sample) {
		return func(t float64, sample probe.Sample) { sample[name] = value(max(t-start, 0)) }
	}
	always := func(v float64) func(float64) float64 { return func(float64) float64 { return v } }
	for _, test := range []struct {
		name   string
		change func(float64, probe.Sample)
		more   []stream.Event
		want   []string
		// since is when the first began.
		since float64
	}{
		{name: "a healthy run has no warnings"},
		{
			name: "a healthy inspection has no warnings",
			more: []stream.Event{inspected(stream.Inspection{
				Agents:        []stream.AgentState{{ID: "a_1", Mailbox: 20, MailboxCapacity: 1024, BusySeconds: 1}, {ID: "a_2", MailboxCapacity: 1024, BusySeconds: 9}, {ID: "a_3", Mailbox: 3, MailboxCapacity: 1024, BusySeconds: 9, ActionsPerSecond: 1551}},
				Subscriptions: []stream.SubscriptionState{{Subscriber: "sub_1", Queued: 3900, Capacity: 4096, FullSeconds: 0.4}},
			})},
		},
		{name: "a limit that is missed", change: from(27, "action_p99_ms", always(8.4)), want: []string{"latency_ms.p99: 8.4 ms for 3 s, limit < 5 ms"}, since: 27},
		{name: "a spike is no warning", change: from(29.2, "action_p99_ms", always(8.4))},
		{
			name: "what a fault led to", since: 27,
			change: func(t float64, sample probe.Sample) {
				if t >= 26.5 {
					sample["fault"] = 1
				}
				if t >= 27 {
					sample["action_p99_ms"] = 12
				}
			},
			want: []string{"latency_ms.p99: 12 ms for 3 s, limit < 5 ms (0.5 s after stall_subscribers)"},
		},
		{
			name: "a fault long before is no cause", since: 27,
			change: func(t float64, sample probe.Sample) {
				if t >= 20 {
					sample["fault"] = 1
				}
				if t >= 27 {
					sample["action_p99_ms"] = 12
				}
			},
			want: []string{"latency_ms.p99: 12 ms for 3 s, limit < 5 ms"},
		},
		{name: "within the tolerance of a baseline", change: func(_ float64, s probe.Sample) { s["offered_per_second"], s["completed_per_second"] = 6500, 6500 }},
		{
			name:   "beyond the tolerance of a baseline",
			change: func(_ float64, s probe.Sample) { s["offered_per_second"], s["completed_per_second"] = 6000, 6000 },
			want:   []string{"sustained_event_rate: 6k/s for 20 s, limit >= 8k/s"}, since: 10,
		},
		{
			name: "mailboxes that grow", change: growing(23, "mailbox_depth", func(age float64) float64 { return 50 + 200*age }),
			want: []string{"mailbox backlog: growing for 7 s, from 50 to 1,360 messages"}, since: 23,
		},
		{name: "mailboxes that were deep", change: from(20, "mailbox_depth", func(age float64) float64 { return 2000 - 150*age })},
		{
			name: "goroutines that rise", change: growing(20, "goroutines", func(age float64) float64 { return 200 + 20*age }),
			want: []string{"goroutines: growing for 10 s, from 200 to 391"}, since: 20,
		},
		{
			name: "a heap that is not collected", change: growing(20, "heap_live_bytes", func(age float64) float64 { return 18e6 + 2e6*math.Floor(age) }),
			want: []string{"live heap: growing for 10 s, from 18 MB to 36.2 MB"}, since: 20,
		},
		{
			name: "the generator is too slow", change: from(26, "generator_lag_ms", always(40)),
			want: []string{"load generator: 40 ms late for 4 s; this machine is too slow or too busy for this load"}, since: 26,
		},
		{
			name: "what is offered is not completed", change: from(25, "completed_per_second", always(12000)),
			want: []string{"throughput: 12.0k/s completed of 20.0k/s offered, 12 operations in flight"}, since: 27,
		},
		{name: "operations fail", change: from(26, "failed_per_second", always(120)), want: []string{"failed operations: 120/s for 4 s"}, since: 26},
		{
			name: "events are dropped", change: from(27, "events_dropped", func(age float64) float64 { return 7 + 10*math.Floor(10*age+1e-9) }),
			want: []string{"dropped events: 300 in the last 3 s"}, since: 27,
		},
		{name: "events were dropped once", change: from(20, "events_dropped", always(5000))},
		{name: "a fresh system counts anew", change: from(29.5, "events_dropped", always(0))},
		{
			name: "agents crash", change: from(28, "agents_crashed", func(age float64) float64 { return 2 + math.Floor(age*5+1e-9) }),
			want: []string{"crashed agents: 10 in the last 1.9 s"},
		},
		{
			name: "the collector takes too much", change: from(24, "gc_cpu_ratio", always(0.23)),
			want: []string{"garbage collector: 23.0 % of CPU time for 6 s, 5.00 MB/s allocated"}, since: 24,
		},
		{
			name: "too few processors", change: from(24, "sched_latency_p99_ms", always(14)),
			want: []string{"scheduler latency: p99 14 ms for 6 s, machine 70 % busy"}, since: 24,
		},
		{
			name: "a slow subscriber", since: 27.9,
			more: []stream.Event{inspected(stream.Inspection{Subscriptions: []stream.SubscriptionState{
				{Subscriber: "sub_17", Queued: 3940, Capacity: 4096, FullSeconds: 2.1, Blocks: true},
				{Subscriber: "sub_18", Queued: 4096, Capacity: 4096, FullSeconds: 1.5, Dropped: 1200},
			}})},
			want: []string{
				"slow subscriber sub_17: queue 96 % full for 2.1 s, blocks publishers",
				"slow subscriber sub_18: queue 100 % full for 1.5 s, 1,200 events dropped",
			},
		},
		{
			name: "agents that cannot keep up", since: 30,
			more: []stream.Event{inspected(stream.Inspection{Agents: []stream.AgentState{
				{ID: "a_1", Mailbox: 980, MailboxCapacity: 1024}, {ID: "a_2", Mailbox: 118, MailboxCapacity: 1024, BusySeconds: 4.2},
			}})},
			want: []string{"agent a_1: mailbox 95 % full, 980 messages queued", "agent a_2: busy for 4.2 s without a break, 118 messages queued"},
		},
		{
			name: "many warnings of a kind are counted", since: 27.9,
			more: []stream.Event{inspected(stream.Inspection{Subscriptions: []stream.SubscriptionState{
				{Subscriber: "s1", Queued: 1, Capacity: 1, FullSeconds: 2.1},
				{Subscriber: "s2", Queued: 1, Capacity: 1, FullSeconds: 2.1},
				{Subscriber: "s3", Queued: 1, Capacity: 1, FullSeconds: 2.1},
				{Subscriber: "s4", Queued: 1, Capacity: 1, FullSeconds: 2.1},
			}})},
			want: []string{"s1", "s2", "s3: queue 100 % full for 2.1 s (and 1 more)"},
		},
		{
			name:   "a stale inspection counts for nothing",
			change: func(float64, probe.Sample) {},
			more: []stream.Event{
				inspected(stream.Inspection{Subscriptions: []stream.SubscriptionState{{Subscriber: "s1", Queued: 1, Capacity: 1, FullSeconds: 2.1}}}),
				{Type: stream.Logged},
			},
			want: []string{"s1"}, since: 27.9,
		},
	} {
		got := Find(runWith(test.change, test.more...).Snapshot())
		var texts []string
		for _, l := range got {
			texts = append(texts, l.Text)
		}
		if len(got) != len(test.want) {
			t.Errorf("%s: %q, want %q", test.name, texts, test.want)
			continue
		}
		for i, want := range test.want {
			if exact := strings.Contains(want, " "); exact && !strings.HasPrefix(got[i].Text, want) && !strings.HasSuffix(got[i].Text, want) || !strings.Contains(got[i].Text, want) {
				t.Errorf("%s: %q, want %q", test.name, got[i].Text, want)
			}
		}
		if test.since > 0 && math.Abs(got[0].Since-test.since) > 0.11 {
			t.Errorf("%s: began at %v, want %v", test.name, got[0].Since, test.since)
		}
	}
}

// There are no warnings after the end of a run, nor from a stale inspection.
func TestOnlyCurrentWarnings(t *testing.T) {
	slow := inspected(stream.Inspection{Subscriptions: []stream.SubscriptionState{{Subscriber: "s1", Queued: 1, Capacity: 1, FullSeconds: 2.1}}})
	tl := runWith(nil, slow)
	if n := len(Find(tl.Snapshot())); n != 1 {
		t.Fatalf("%d warnings to begin with", n)
	}
	later := uitest.Healthy(33)
	tl.Add(stream.Event{T: 33, Type: stream.SampleTaken, Sample: later})
	if got := Find(tl.Snapshot()); len(got) > 0 {
		t.Errorf("three seconds later: %v", got)
	}
	tl = runWith(nil, slow)
	tl.Add(stream.Event{T: 30, Type: stream.RunFinished, Report: &report.Report{}})
	if got := Find(tl.Snapshot()); len(got) > 0 {
		t.Errorf("after the end: %v", got)
	}
}

// Find accepts any snapshot.
func TestAnySnapshot(t *testing.T) {
	probes := []probe.Name{}
	for name := range maps.Keys(uitest.Healthy(0)) {
		probes = append(probes, name)
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(probes).Draw(t, "probe")
		values := rapid.SliceOfN(rapid.Float64(), 300, 300).Draw(t, "values")
		gap := rapid.IntRange(1, 40).Draw(t, "every nth is there")
		tl := runWith(func(at float64, sample probe.Sample) {
			i := int(at*10+0.5) - 1
			sample[name] = values[i]
			if i%gap != 0 {
				delete(sample, name)
			}
		}, inspected(stream.Inspection{
			Agents:        []stream.AgentState{{ID: rapid.String().Draw(t, "id"), Mailbox: rapid.Int().Draw(t, "mailbox"), MailboxCapacity: rapid.Int().Draw(t, "room"), BusySeconds: rapid.Float64().Draw(t, "busy")}},
			Subscriptions: []stream.SubscriptionState{{Subscriber: rapid.String().Draw(t, "id"), Queued: rapid.Int().Draw(t, "queued"), Capacity: rapid.Int().Draw(t, "room"), FullSeconds: rapid.Float64().Draw(t, "full")}},
		}))
		for _, l := range Find(tl.Snapshot()) {
			if l.Text == "" || l.ID == "" || strings.ContainsAny(l.Text, "\n\x1b") {
				t.Fatalf("%+v", l)
			}
		}
	})
}

// The start of a repetition, and the end of the one before, do not count.
func TestOnlyTheRunningRepetition(t *testing.T) {
	slow := func(_ float64, sample probe.Sample) {
		sample["gc_cpu_ratio"], sample["sched_latency_p99_ms"], sample["action_p99_ms"] = 0.4, 50, 80
	}
	begun := stream.Event{Type: stream.RepetitionStarted, Repetition: &stream.Repetition{Step: "storm", Number: 2, Of: 2}}
	tl := runWith(slow, begun)
	if got := Find(runWith(slow).Snapshot()); len(got) != 3 {
		t.Fatalf("before: %+v", got)
	}
	for i := 1; i <= 40; i++ {
		at := 30 + float64(i)/10
		sample := uitest.Healthy(at)
		slow(at, sample)
		tl.Add(stream.Event{T: at, Type: stream.SampleTaken, Sample: sample})
		if got := Find(tl.Snapshot()); len(got) > 0 && at < 30+settleSeconds+steadySeconds {
			t.Errorf("%.1f s after the repetition began: %+v", at-30, got)
		}
	}
	if got := Find(tl.Snapshot()); len(got) != 3 || got[0].Since < 30+settleSeconds {
		t.Errorf("of a condition that lasts: %+v", got)
	}
}

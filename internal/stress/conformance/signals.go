package conformance

import (
	"context"
	"errors"
	"slices"
	"strings"

	mabeam "mabeam-top/internal/runtime"
)

// signalRound is how many signals are queued at a time.
const signalRound = 32

// priorities are the priorities of the signals of a round, in turn.
var priorities = []mabeam.Priority{mabeam.Normal, mabeam.Low, mabeam.High, mabeam.Low, mabeam.Normal, mabeam.High, mabeam.High}

// CheckSignals sends signals to busy agents and compares what they handle. It reports
// signals_lost and signals_out_of_order, unless probes is 0.
func CheckSignals(ctx context.Context, r Recorder, probes int) error {
	if probes == 0 {
		return nil
	}
	lost, disorder := NewChecker(r, "signals_lost"), NewChecker(r, "signals_out_of_order")
	err := withFixture(ctx, lost, 3, func(ctx context.Context, f *fixture) error {
		before := f.system.Telemetry()
		var accepted int64
		for sent := 0; sent < probes && ctx.Err() == nil; {
			n := min(signalRound, probes-sent)
			accepted += f.checkSignalOrder(ctx, sent, n, disorder)
			sent += n
		}
		f.checkRefusedSignals(ctx)
		now := f.system.Telemetry()
		accepted += fixtureMailbox + 1 // of checkRefusedSignals
		f.Expect(now.SignalsSent-before.SignalsSent == accepted && now.SignalsHandled-before.SignalsHandled == accepted && now.SignalsDropped == before.SignalsDropped,
			"the telemetry does not count as many signals sent and handled as were accepted")
		return nil
	})
	lost.Report()
	disorder.Report()
	return err
}

// checkSignalOrder sends n signals to busy agents, releases the agents, and compares what
// each received with what was sent. It returns how many deliveries were accepted.
func (f *fixture) checkSignalOrder(ctx context.Context, from, n int, disorder *Checker) (accepted int64) {
	release, ok := f.blockAll(ctx)
	defer release()
	if !ok {
		return 0
	}
	due := make([][]mabeam.Signal, len(f.ids))
	for i := from; i < from+n; i++ {
		s := mabeam.Signal{Type: "probe", Data: i, Priority: priorities[i%len(priorities)]}
		targets := []int{0, 1, 2} // all
		var ids []string
		switch i % 3 {
		case 0:
			targets = []int{i / 3 % 3}
			s.Target = f.ids[targets[0]]
		case 1:
			targets = []int{0, 2}
			ids = []string{f.ids[0], f.ids[2]}
		}
		if err := f.system.Signal(s, ids...); !f.Expect(err == nil, "an agent with free mailbox capacity did not accept a signal") {
			continue
		}
		for _, t := range targets {
			due[t] = append(due[t], s)
		}
		accepted += int64(len(targets))
	}
	release()
	for i, id := range f.ids {
		f.Expect(f.awaitIdle(ctx, id), "an agent with queued signals did not answer")
		missing, displaced := compareSignals(f.spies[i].takeSignals(), due[i])
		f.Add(missing, "accepted signals were not handled exactly once")
		disorder.Add(displaced, "signals were handled after a signal of lower priority, or after one sent later")
	}
	return accepted
}

// checkRefusedSignals sends signals that must be refused, each with its own error.
func (f *fixture) checkRefusedSignals(ctx context.Context) {
	id, s := f.ids[0], f.spies[0]
	err := f.system.Signal(mabeam.Signal{Type: "probe"}, unknownAgent, id)
	f.Expect(errors.Is(err, mabeam.ErrUnknownAgent) && strings.Contains(err.Error(), unknownAgent), "Signal to an unknown agent did not return ErrUnknownAgent with its id")
	f.awaitIdle(ctx, id)
	f.Expect(len(s.takeSignals()) == 1, "an agent did not handle a signal exactly once because another target of it is unknown")

	release, ok := f.block(ctx, id)
	defer release()
	if !ok {
		return
	}
	for range fixtureMailbox {
		f.Expect(f.system.Signal(mabeam.Signal{Type: "probe"}, id) == nil, "an agent with free mailbox capacity did not accept a signal")
	}
	err = f.system.Signal(mabeam.Signal{Type: "probe"}, id)
	f.Expect(errors.Is(err, mabeam.ErrMailboxFull), "Signal to a full mailbox did not return ErrMailboxFull")
	release()
	f.awaitIdle(ctx, id)
	f.Expect(len(s.takeSignals()) == fixtureMailbox, "not all accepted signals were handled")
}

// compareSignals counts the signals that did not come exactly once, and those that came
// out of order.
func compareSignals(got, due []mabeam.Signal) (lost, disorder int64) {
	due = slices.Clone(due)
	slices.SortStableFunc(due, func(a, b mabeam.Signal) int { return int(b.Priority) - int(a.Priority) })
	return compareSequence(signalNumbers(got), signalNumbers(due))
}

// signalNumbers returns the numbers in the data of signals.
func signalNumbers(signals []mabeam.Signal) (numbers []int) {
	for _, s := range signals {
		n, ok := s.Data.(int)
		if !ok {
			n = -1
		}
		numbers = append(numbers, n)
	}
	return numbers
}

// compareSequence counts the due numbers that did not come exactly once, and those that
// came out of order.
func compareSequence(got, due []int) (lost, disorder int64) {
	place := make(map[int]int, len(due))
	for i, n := range due {
		place[n] = i
	}
	seen, last := map[int]bool{}, -1
	for _, n := range got {
		at, known := place[n]
		switch {
		case !known || seen[n]:
			lost++ // unknown or repeated
		case at < last:
			disorder++
		default:
			last = at
		}
		seen[n] = true
	}
	for _, n := range due {
		if !seen[n] {
			lost++
		}
	}
	return lost, disorder
}

// Numbers returns the numbers from first to end, without end.
func Numbers(first, end int) (all []int) {
	for i := first; i < end; i++ {
		all = append(all, i)
	}
	return all
}

package measure

import (
	"context"
	"errors"
	"slices"
	"strings"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/scenario"
)

func signalMetrics() []scenario.Metric {
	given := func(p scenario.Params) bool { return p.Int("signal_probes") > 0 }
	lost := mustBeZero("signals_lost", "Signals of signal_probes that an agent did not get exactly once: those to one agent, to several, and to all, while the agents are busy.")
	order := mustBeZero("signals_out_of_order", "Signals that an agent got before one that has a higher priority, or the same one and was sent earlier, though both waited.")
	lost.Given, order.Given = given, given
	return []scenario.Metric{lost, order}
}

// signalRound is how many signals wait at once.
const signalRound = 32

// priorities are those of the signals of a round, in turn.
var priorities = []mabeam.Priority{mabeam.Normal, mabeam.Low, mabeam.High, mabeam.Low, mabeam.Normal, mabeam.High, mabeam.High}

// checkSignals sends signals to busy agents and looks at what they get.
func checkSignals(ctx context.Context, env *stress.Env) error {
	probes := env.Params.Int("signal_probes")
	if probes == 0 {
		return nil
	}
	lost, disorder := newChecker(env, "signals_lost"), newChecker(env, "signals_out_of_order")
	err := withFixture(ctx, env, 3, func(ctx context.Context, o *fixture) error {
		before := o.system.Telemetry()
		var accepted int64
		for sent := 0; sent < probes && ctx.Err() == nil; {
			n := min(signalRound, probes-sent)
			accepted += checkSignalOrder(ctx, o, sent, n, lost, disorder)
			sent += n
		}
		checkRefusedSignals(ctx, o, lost)
		now := o.system.Telemetry()
		accepted += fixtureMailbox + 1 // of checkRefusedSignals
		lost.expect(now.SignalsSent-before.SignalsSent == accepted && now.SignalsHandled-before.SignalsHandled == accepted && now.SignalsDropped == before.SignalsDropped,
			"the telemetry does not count as many signals sent and handled as were accepted")
		return nil
	})
	lost.report()
	disorder.report()
	return err
}

// checkSignalOrder sends n signals to busy agents, lets the agents go, and compares what each
// got with what was sent. It returns how many were accepted.
func checkSignalOrder(ctx context.Context, o *fixture, from, n int, lost, disorder *checker) (accepted int64) {
	release, ok := o.blockAll(ctx)
	defer release()
	if !lost.expect(ok, "an agent did not begin an action that it was told") {
		return 0
	}
	due := make([][]mabeam.Signal, len(o.ids))
	for i := from; i < from+n; i++ {
		s := mabeam.Signal{Type: "probe", Data: i, Priority: priorities[i%len(priorities)]}
		targets := []int{0, 1, 2} // all
		var ids []string
		switch i % 3 {
		case 0:
			targets = []int{i / 3 % 3}
			s.Target = o.ids[targets[0]]
		case 1:
			targets = []int{0, 2}
			ids = []string{o.ids[0], o.ids[2]}
		}
		if err := o.system.Signal(s, ids...); !lost.expect(err == nil, "a signal was refused though there was room for it") {
			continue
		}
		for _, t := range targets {
			due[t] = append(due[t], s)
		}
		accepted += int64(len(targets))
	}
	release()
	for i, id := range o.ids {
		lost.expect(o.awaitIdle(ctx, id), "an agent with signals did not answer")
		missing, displaced := compareSignals(o.spies[i].takeSignals(), due[i])
		lost.add(missing, "signals that were accepted were not handled exactly once")
		disorder.add(displaced, "signals were handled after one of a lower priority, or one that was sent later")
	}
	return accepted
}

// checkRefusedSignals sends signals that have to be refused, each with its own error.
func checkRefusedSignals(ctx context.Context, o *fixture, lost *checker) {
	id, b := o.ids[0], o.spies[0]
	err := o.system.Signal(mabeam.Signal{Type: "probe"}, "nobody", id)
	lost.expect(errors.Is(err, mabeam.ErrUnknownAgent) && strings.Contains(err.Error(), "nobody"), "a signal to an agent that is not there did not return ErrUnknownAgent")
	o.awaitIdle(ctx, id)
	lost.expect(len(b.takeSignals()) == 1, "a signal was not handled once because another agent that it was sent to is not there")

	release, ok := o.block(ctx, id)
	defer release()
	if !lost.expect(ok, "an agent did not begin an action that it was told") {
		return
	}
	for range fixtureMailbox {
		lost.expect(o.system.Signal(mabeam.Signal{Type: "probe"}, id) == nil, "a signal was refused before the agent had as many as its mailbox has room for")
	}
	err = o.system.Signal(mabeam.Signal{Type: "probe"}, id)
	lost.expect(errors.Is(err, mabeam.ErrMailboxFull), "one signal more than there is room for was not refused with ErrMailboxFull")
	release()
	o.awaitIdle(ctx, id)
	lost.expect(len(b.takeSignals()) == fixtureMailbox, "not all signals that were accepted were handled")
}

// compareSignals counts the signals that are missing or there more than once, and
// those that are at another place than they should be.
func compareSignals(got, due []mabeam.Signal) (lost, disorder int64) {
	due = slices.Clone(due)
	slices.SortStableFunc(due, func(a, b mabeam.Signal) int { return int(b.Priority) - int(a.Priority) })
	return compareSequence(signalNumbers(got), signalNumbers(due))
}

// signalNumbers are the numbers that signals carry.
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

// compareSequence counts which of the due numbers are missing in what was got or are
// not there exactly once, and which come in another order than they are due in.
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
			lost++ // a stranger, or there twice
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

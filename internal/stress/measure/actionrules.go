package measure

import (
	"mabeam-top/internal/stress/scenario"
)

func signalMetrics() []scenario.Metric {
	given := func(p scenario.Params) bool { return p.Int("signal_probes") > 0 }
	lost := mustBeZero("signals_lost", "Signals of signal_probes that a busy agent did not handle exactly once. They go to one agent, to several and to all.")
	order := mustBeZero("signals_out_of_order", "Signals that an agent handled before a queued signal of higher priority, or of the same priority and sent earlier.")
	lost.Given, order.Given = given, given
	return []scenario.Metric{lost, order}
}

func messageMetrics() []scenario.Metric {
	tells := func(p scenario.Params) bool { return p.Int("tell_probes") > 0 }
	lost := mustBeZero("tells_lost", "Actions of tell_probes that were not handled exactly once. Four senders send them through a small mailbox at the same time.")
	order := mustBeZero("tells_out_of_order", "Actions of tell_probes that were handled after an action that the same sender sent later.")
	overlaps := mustBeZero("overlaps", "Callbacks of an agent that ran at the same time as another callback of that agent, while several senders sent actions and signals.")
	wrong := mustBeZero("replies_wrong", "Messages of reply_probes whose reply is missing, repeated, of another message, or has an undocumented error. They are sent with Request and Send to known and unknown agents; some replies come after their timeout.")
	lost.Given, order.Given, overlaps.Given = tells, tells, tells
	wrong.Given = func(p scenario.Params) bool { return p.Int("reply_probes") > 0 }
	return []scenario.Metric{lost, order, overlaps, wrong}
}

func lifecycleMetrics() []scenario.Metric {
	broken := mustBeZero("agent_rules_broken", "Violations of the documented rules of agents in life_probes rounds: suspension, mailbox capacity, Init and Terminate, stop, kill, panic, restart, state versions, errors, events queued at a stop, goroutines of calls that timed out, partly failing batches, deadlocks, callers of an agent that ends, contexts of actions at a kill, action events, registrations, subscriptions, events, signals and inspection. The errors name each.")
	broken.Given = func(p scenario.Params) bool { return p.Int("life_probes") > 0 }
	return []scenario.Metric{broken}
}

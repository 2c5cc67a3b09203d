package ui

import "mabeam-top/internal/stress/stream"

// How many agents and subscriptions are asked for: on their tabs as many as a
// filter could be wanted for, elsewhere as many as lints and a small table need.
const (
	manyInspected = 200
	fewInspected  = 20
)

// inspection is what the run is to tell of the system's inside: what the screen
// shows now, and a few of the busiest in any case, so that who looks back sees them.
func (m *model) inspection() stream.Inspect {
	l := &m.live
	if m.screen != liveScreen || m.size() == lineSize {
		return stream.Inspect{}
	}
	in := stream.Inspect{Agents: fewInspected, Subscriptions: fewInspected}
	for _, a := range l.areas {
		switch {
		case a.panel == agentsPanel && l.tab == agentsTab:
			in.Agents = manyInspected
		case a.panel == busPanel:
			in.Subscriptions = manyInspected
		case a.panel == detailPanel:
			in.Agent = l.agents.detail
		}
	}
	in.By = l.agents.by
	return in
}

// inspect asks the run for what the screen shows, if that is something else than
// before. A run that takes no commands is not asked again.
func (m *model) inspect() {
	if !m.loading() || m.run.steer.Load() == nil {
		return
	}
	if want := m.inspection(); want != m.live.asked {
		m.live.asked = want
		if err := m.run.command(stream.Command{Do: stream.SetInspection, Inspect: want}); err != nil {
			m.live.blind = true // its tables say so
		}
	}
}

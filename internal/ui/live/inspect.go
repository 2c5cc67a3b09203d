package live

import (
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/screen"
)

// The number of agents and subscriptions of an inspection: on their tabs enough
// for a filter, elsewhere enough for warnings and a small table.
const (
	manyInspected = 200
	fewInspected  = 20
)

// Inspect requests the inspection that the screen needs, if that is another one
// than before. visible is false while another screen is shown.
func (s *Screen) Inspect(visible bool) {
	if !s.Loading() || !s.run.Steerable() {
		return
	}
	if want := s.inspection(visible); want != s.asked {
		s.asked = want
		if err := s.run.Command(stream.Command{Do: stream.SetInspection, Inspect: want}); err != nil {
			s.blind = true // the tables say so
		}
	}
}

// inspection is what the screen needs now. It always includes the busiest agents
// and subscriptions, so that users can look back at them.
func (s *Screen) inspection(visible bool) stream.Inspect {
	if !visible || s.host.Size() == screen.Line {
		return stream.Inspect{}
	}
	in := stream.Inspect{Agents: fewInspected, Subscriptions: fewInspected, By: s.agents.by}
	for _, a := range s.areas {
		switch {
		case a.panel == agentsPanel && s.tab == agentsTab:
			in.Agents = manyInspected
		case a.panel == busPanel:
			in.Subscriptions = manyInspected
		case a.panel == detailPanel:
			in.Agent = s.agents.detail
		}
	}
	return in
}

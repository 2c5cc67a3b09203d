package mabeam

import "mabeam-top/internal/runtime/internal/table"

// slotsPerWalk is how many slots of the registry's table one step of a walk visits, whatever the
// number of agents. That takes about two milliseconds. A table is between a quarter and three
// quarters full, so a walk through 100,000 agents takes about sixteen steps.
const slotsPerWalk = 16 << 10

// A walk goes through all living agents again and again, a part of them at a time. The zero value
// begins with the first.
type walk struct{ table.Walk[registration] }

// next visits the agents in the next slots of the registry's table.
func (w *walk) next(r *Registry, visit func(*Agent)) {
	w.Next(r.byID, slotsPerWalk, func(e *registration) {
		if e.agent != nil {
			visit(e.agent)
		}
	})
}

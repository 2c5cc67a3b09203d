package mabeam

// placesPerLook is how many places of the registry's table one look goes through,
// whatever the number of agents: two milliseconds or so. A table is from a quarter to
// three quarters full, so that all of 100,000 agents are gone through in about sixteen
// looks.
const placesPerLook = 16 << 10

// A walk goes through all living agents, around and around, a part of them at a time. The
// zero value begins with the first.
type walk struct{ part, slot int }

// next visits the agents in the next places of the table, up to the end of it.
func (w *walk) next(table *table[registration], visit func(*Agent)) {
	for looked := 0; looked < placesPerLook; {
		slots := *table.parts[w.part].slots.Load()
		for ; w.slot < len(slots) && looked < placesPerLook; w.slot++ {
			looked++
			if e := slots[w.slot].value.Load(); e != nil && e != table.dead && e.agent != nil {
				visit(e.agent)
			}
		}
		if w.slot < len(slots) {
			return
		}
		w.part, w.slot = (w.part+1)%tableParts, 0
		if w.part == 0 {
			return
		}
	}
}

package measure

import (
	"context"
	"fmt"
	"slices"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress"
)

// registrationAgents is how many agents checkRegistrations starts.
const registrationAgents = 150

// liveAgents are the specs of the agents that must be alive, by id.
type liveAgents map[string]mabeam.Spec

// check compares the registry with the live agents: lookups, the lists by type, capability
// and node, and the list of all.
func (p liveAgents) check(v *checker, system *mabeam.System) {
	registry := system.Registry()
	types, capabilities := map[string][]string{}, map[string][]string{}
	ids := make([]string, 0, len(p))
	for id, spec := range p {
		ids = append(ids, id)
		types[spec.Type] = append(types[spec.Type], id)
		for _, c := range spec.Capabilities {
			capabilities[c] = append(capabilities[c], id)
		}
		entry, ok := registry.Lookup(id)
		v.expect(ok && entry.ID() == id && entry.Type() == spec.Type && slices.Equal(entry.Capabilities(), spec.Capabilities) && entry.Node() == system.Node(),
			"the registration of an agent has a wrong id, type, capability or node")
	}
	compare := func(listing string, listed []mabeam.Entry, want []string) {
		missing, strange := compareListing(listed, want)
		v.add(missing, "live agents are missing in the list "+listing)
		v.add(strange, "entries of the list "+listing+" are repeated or not of live agents")
	}
	for t, want := range types {
		compare("by type", registry.ByType(t), want)
	}
	for c, want := range capabilities {
		compare("by capability", registry.ByCapability(c), want)
	}
	compare("by node", registry.ByNode(system.Node()), ids)
	compare("of all", registry.All(), ids)
	v.expect(registry.Count() == len(p), "the number of registrations is not the number of live agents")
}

// checkGone checks that the system no longer finds agents that have ended. No agent of the
// same type or capability is alive.
func (p liveAgents) checkGone(v *checker, system *mabeam.System) {
	registry := system.Registry()
	for id, spec := range p {
		_, registered := registry.Lookup(id)
		_, err := system.Ref(id)
		v.expect(!registered && err != nil, "an agent that has ended is still found by its id")
		v.add(int64(len(registry.ByType(spec.Type))), "agents that have ended are still listed by type")
		for _, c := range spec.Capabilities {
			v.add(int64(len(registry.ByCapability(c))), "agents that have ended are still listed by capability")
		}
	}
}

// compareListing counts the missing ids, and the entries that are unknown or repeated.
func compareListing(listed []mabeam.Entry, want []string) (missing, strange int64) {
	left := make(map[string]bool, len(want))
	for _, id := range want {
		left[id] = true
	}
	for _, e := range listed {
		if !left[e.ID()] {
			strange++
		}
		delete(left, e.ID())
	}
	return int64(len(left)), strange
}

// checkRegistrations starts and ends agents of several types and capabilities on the
// repetition's system, which has no others, and compares the lists.
func checkRegistrations(ctx context.Context, env *stress.Env, v *checker, spec func() mabeam.Spec) error {
	system := env.System()
	living, ended := liveAgents{}, liveAgents{}
	order := make([]string, 0, registrationAgents)
	n := registrationAgents
	if limit := env.Options().MaxAgents; limit > 0 {
		n = min(n, limit)
	}
	for i := range n {
		s := spec()
		s.Type = fmt.Sprintf("listed-%d", i%3)
		s.Capabilities = []string{"listed", fmt.Sprintf("listed-%d", i%4)}
		id, err := system.StartAgent(ctx, s)
		if err != nil {
			return fmt.Errorf("start agent %d of %d: %w", i+1, n, err)
		}
		living[id] = s
		order = append(order, id)
	}
	living.check(v, system)
	env.Rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	for i, id := range order {
		switch i % 3 {
		case 0:
			system.KillAgent(id)
		default:
			if err := system.StopAgent(ctx, id); err != nil {
				return fmt.Errorf("stop an agent: %w", err)
			}
		}
		ended[id] = living[id]
		delete(living, id)
		if i == len(order)/2 {
			living.check(v, system)
		}
	}
	living.check(v, system)
	ended.checkGone(v, system)
	return nil
}

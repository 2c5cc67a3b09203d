package conformance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/faults"
)

// registrationAgents is how many agents CheckRegistrations starts.
const registrationAgents = 150

// LiveAgents are the specs of the agents that must be alive, by id.
type LiveAgents map[string]mabeam.Spec

// Check compares the registry with the live agents: lookups, the lists by type, capability
// and node, and the list of all.
func (p LiveAgents) Check(v *Checker, system *mabeam.System) {
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
		v.Expect(ok && entry.ID() == id && entry.Type() == spec.Type && slices.Equal(entry.Capabilities(), spec.Capabilities) && entry.Node() == system.Node(),
			"the registration of an agent has a wrong id, type, capability or node")
	}
	compare := func(listing string, listed []mabeam.Entry, want []string) {
		missing, strange := compareListing(listed, want)
		v.Add(missing, "live agents are missing in the list "+listing)
		v.Add(strange, "entries of the list "+listing+" are repeated or not of live agents")
	}
	for t, want := range types {
		compare("by type", registry.ByType(t), want)
	}
	for c, want := range capabilities {
		compare("by capability", registry.ByCapability(c), want)
	}
	compare("by node", registry.ByNode(system.Node()), ids)
	compare("of all", registry.All(), ids)
	v.Expect(registry.Count() == len(p), "the number of registrations is not the number of live agents")
}

// CheckGone checks that the system no longer finds agents that have ended. No agent of the
// same type or capability is alive.
func (p LiveAgents) CheckGone(v *Checker, system *mabeam.System) {
	registry := system.Registry()
	for id, spec := range p {
		_, registered := registry.Lookup(id)
		_, err := system.Ref(id)
		v.Expect(!registered && err != nil, "an agent that has ended is still found by its id")
		v.Add(int64(len(registry.ByType(spec.Type))), "agents that have ended are still listed by type")
		for _, c := range spec.Capabilities {
			v.Add(int64(len(registry.ByCapability(c))), "agents that have ended are still listed by capability")
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

// CheckRegistrations starts and ends agents of several types and capabilities on a system
// that has no others and at most maxAgents, if that is not 0, and compares the lists. They
// end in a random order.
func CheckRegistrations(ctx context.Context, v *Checker, system *mabeam.System, maxAgents int, random *rand.Rand, spec func() mabeam.Spec) error {
	living, ended := LiveAgents{}, LiveAgents{}
	order := make([]string, 0, registrationAgents)
	n := registrationAgents
	if maxAgents > 0 {
		n = min(n, maxAgents)
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
	living.Check(v, system)
	random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
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
			living.Check(v, system)
		}
	}
	living.Check(v, system)
	ended.CheckGone(v, system)
	return nil
}

// crashAgents is how many agents a registry lists when it crashes.
const crashAgents = 40

// checkRegistryCrash compares the listings of a registry with its agents after a crash of
// the registry, and after some of the agents have ended.
func checkRegistryCrash(ctx context.Context, options mabeam.Options, broken *Checker) error {
	return WithSystem(ctx, broken.recorder, options, nil, func(system *mabeam.System) error {
		living := LiveAgents{}
		for i := range crashAgents {
			spec := mabeam.Spec{Type: fmt.Sprintf("type %d", i%3), Behaviour: &spy{}, Capabilities: []string{fmt.Sprintf("capability %d", i%4)}}
			id, err := system.StartAgent(ctx, spec)
			if err != nil {
				return err
			}
			living[id] = spec
		}
		broken.Expect(faults.Crash(system, "registry") == nil && system.Telemetry().ComponentsRestarted == 1, "registry: it could not be crashed, or the telemetry does not count its restart")
		living.Check(broken, system)
		for id := range living {
			if len(living) > crashAgents/2 {
				broken.Expect(system.StopAgent(ctx, id) == nil, "agents: an agent did not stop")
				delete(living, id)
			}
		}
		living.Check(broken, system)
		broken.Expect(errors.Is(faults.Crash(system, "limits"), faults.ErrNothingToCrash), "limits: crashing a component without state did not return ErrNothingToCrash")
		return nil
	})
}

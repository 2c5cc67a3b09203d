package mabeam

import (
	"errors"
	"fmt"

	"mabeam-top/internal/runtime/eventbus"
)

// Recipients are the agents that SignalTo sends a signal to. They are made by ToType, ToGroup
// and ToMatching.
type Recipients struct {
	find func(*System) ([]Ref, error)
}

// ToType is all agents of a type.
func ToType(agentType string) Recipients {
	return Recipients{func(s *System) ([]Ref, error) { return refsTo(s.agents.OfType(agentType)), nil }}
}

// ToGroup is the members of a group, in the order in which they joined.
func ToGroup(name string) Recipients {
	return Recipients{func(s *System) ([]Ref, error) { return s.Group(name).members, nil }}
}

// ToMatching is all agents whose ids match a pattern, which is one as that of
// Bus.SubscribePattern. Every id is compared with it.
func ToMatching(pattern string) Recipients {
	return Recipients{func(s *System) ([]Ref, error) { return s.refsMatching(pattern) }}
}

// SignalTo sends a signal, as Signal does, to the agents that are recipients at present. That
// there are none is no error. ErrBadPattern means that the pattern of ToMatching is empty or
// too long, and that nobody was sent the signal.
func (s *System) SignalTo(signal Signal, to Recipients) error {
	if to.find == nil {
		return fmt.Errorf("signal %q: %w", signal.Type, errors.New("no recipients are named"))
	}
	refs, err := to.find(s)
	if err != nil {
		return fmt.Errorf("signal %q: %w", signal.Type, err)
	}
	if err := s.beginSignal(&signal); err != nil {
		return err
	}
	d := dispatch{signal: &signal}
	for _, r := range refs {
		d.to(r.ID(), r.agent)
	}
	return errors.Join(d.refusals...)
}

// SignalTo is System.SignalTo with the agent as its source.
func (a *Agent) SignalTo(signal Signal, to Recipients) error {
	signal.Source = a.ID()
	return a.system.SignalTo(signal, to)
}

func (s *System) refsMatching(pattern string) ([]Ref, error) {
	if err := eventbus.CheckPattern(pattern); err != nil {
		return nil, fmt.Errorf("to agents matching %q: %w", pattern, err)
	}
	var refs []Ref
	for _, a := range s.agents.Agents() {
		if eventbus.Matches(pattern, a.ID()) {
			refs = append(refs, Ref{a})
		}
	}
	return refs, nil
}

// refsTo returns references to agents.
func refsTo(agents []*Agent) []Ref {
	refs := make([]Ref, len(agents))
	for i, a := range agents {
		refs[i] = Ref{a}
	}
	return refs
}

// Package agents has the agents that demonstrations and stress scenarios use: a small one
// that counts and keeps messages, and one that holds memory and computes.
//
// The parameters of their actions are a map with string keys and any values, of any such
// map type; nil is a map without entries. An action that needs a parameter returns an error
// for parameters that are anything else.
package agents

import (
	"context"
	"errors"

	mabeam "mabeam-top/internal/runtime"
)

// ErrSimulated is what the demo agent's simulate_error fails with.
var ErrSimulated = errors.New("simulated error")

// DemoState is the state of a demo agent.
type DemoState struct {
	Counter  int
	Messages []string
}

// Demo describes a demo agent: a counter and a list of messages.
func Demo() mabeam.Spec {
	return mabeam.Spec{
		Type: "demo", Behaviour: demo{}, State: DemoState{},
		Capabilities: demoCapabilities,
	}
}

var demoCapabilities = []string{"ping", "increment", "messages"}

// demo answers ping, increment (amount, default 1), get_state, add_message
// (message), get_messages, clear_messages and simulate_error, and the event
// system_status. All it knows is in its agent's state.
type demo struct{ mabeam.Defaults }

// DemoStatus is the data of demo_status_response.
type DemoStatus struct {
	AgentID  string
	Counter  int
	Messages int
}

func (demo) Init(_ context.Context, self *mabeam.Agent) error {
	_, err := self.Subscribe("system_status")
	return err
}

func (demo) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	state := self.State().(DemoState)
	switch action {
	case "ping":
		return "pong", self.Publish(ctx, "demo_ping", nil)
	case "increment":
		amount, err := intParam(params, "amount", 1)
		if err != nil {
			return nil, err
		}
		state.Counter += amount
		self.SetState(state)
		return state.Counter, self.Publish(ctx, "demo_increment", state.Counter)
	case "get_state":
		return state, nil
	case "add_message":
		message, err := textParam(params, "message")
		if err != nil {
			return nil, err
		}
		// A slice that is longer than the old one shows must not share its
		// memory: states that were handed out before never change.
		state.Messages = append(state.Messages[:len(state.Messages):len(state.Messages)], message)
		self.SetState(state)
		return len(state.Messages), self.Publish(ctx, "demo_message_added", message)
	case "get_messages":
		return state.Messages, nil
	case "clear_messages":
		state.Messages = nil
		self.SetState(state)
		return nil, self.Publish(ctx, "demo_messages_cleared", nil)
	case "simulate_error":
		return nil, errors.Join(ErrSimulated, self.Publish(ctx, "demo_error", ErrSimulated.Error()))
	}
	return nil, mabeam.ErrUnknownAction
}

func (demo) HandleEvent(ctx context.Context, self *mabeam.Agent, event mabeam.Event) {
	if event.Type != "system_status" {
		return
	}
	state := self.State().(DemoState)
	// A status that nobody has room for is counted by the bus.
	_ = self.Publish(ctx, "demo_status_response",
		DemoStatus{AgentID: self.ID(), Counter: state.Counter, Messages: len(state.Messages)})
}

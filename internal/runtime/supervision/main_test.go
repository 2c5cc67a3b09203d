package supervision

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/goleak"

	mabeam "mabeam-top/internal/runtime"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errOwn = errors.New("on purpose")

// A scripted behaviour calls a function for each callback that is set.
type scripted struct {
	mabeam.Defaults
	init      func(self *mabeam.Agent) error
	action    func(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error)
	signal    func(self *mabeam.Agent, s mabeam.Signal)
	event     func(self *mabeam.Agent, e mabeam.Event)
	terminate func(self *mabeam.Agent)
}

func (b *scripted) Init(_ context.Context, self *mabeam.Agent) error {
	if b.init == nil {
		return nil
	}
	return b.init(self)
}

func (b *scripted) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	if b.action == nil {
		return nil, mabeam.ErrUnknownAction
	}
	return b.action(ctx, self, action, params)
}

func (b *scripted) HandleSignal(_ context.Context, self *mabeam.Agent, s mabeam.Signal) {
	if b.signal != nil {
		b.signal(self, s)
	}
}

func (b *scripted) HandleEvent(_ context.Context, self *mabeam.Agent, e mabeam.Event) {
	if b.event != nil {
		b.event(self, e)
	}
}

func (b *scripted) Terminate(_ context.Context, self *mabeam.Agent, _ error) {
	if b.terminate != nil {
		b.terminate(self)
	}
}

// A plain agent answers every action.
type plain struct{ mabeam.Defaults }

func (plain) HandleAction(context.Context, *mabeam.Agent, string, any) (any, error) { return nil, nil }

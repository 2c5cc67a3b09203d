package mabeamtest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/mabeamtest"
)

// A clerk is the agent that the tests in this file are about. It takes orders, has the
// agent "stock" reserve them, and reminds the agent "owner" of what was not paid in a day.
type clerk struct {
	mabeam.Defaults
	reminders map[string]*mabeam.Timer
}

// errUnknownOrder says that a payment is for no order.
var errUnknownOrder = errors.New("unknown order")

func (c *clerk) HandleAction(ctx context.Context, self *mabeam.Agent, action string, params any) (any, error) {
	item, _ := params.(string)
	switch action {
	case "order":
		if _, err := self.Execute(ctx, "stock", "reserve", item); err != nil {
			return nil, fmt.Errorf("order %s: %w", item, err)
		}
		c.reminders[item] = self.SendAfter(ctx, 24*time.Hour, "owner", "unpaid", item)
		return "ordered", self.Publish(ctx, "order.taken", item)
	case "pay":
		reminder := c.reminders[item]
		if reminder == nil {
			return nil, errUnknownOrder
		}
		reminder.Cancel()
		delete(c.reminders, item)
		return "paid", nil
	}
	return nil, mabeam.ErrUnknownAction
}

// startClerk starts a clerk between a stock and an owner.
func startClerk(t *testing.T, s *mabeam.System, stock, owner *mabeamtest.Probe) {
	mabeamtest.StartAgent(t, s, mabeam.Spec{ID: "stock", Behaviour: stock})
	mabeamtest.StartAgent(t, s, mabeam.Spec{ID: "owner", Behaviour: owner})
	mabeamtest.StartAgent(t, s, mabeam.Spec{ID: "clerk", Behaviour: &clerk{reminders: map[string]*mabeam.Timer{}}})
}

type traceKey struct{}

// Probes stand in for the agents around the one that is tested. They record what they were
// asked, with the values of the caller's context; a listener records what it published.
func TestClerkReservesWhatIsOrdered(t *testing.T) {
	s := mabeamtest.Start(t, mabeam.Options{})
	var stock, owner mabeamtest.Probe
	startClerk(t, s, &stock, &owner)
	taken := mabeamtest.Listen(t, s, "order.*")

	ctx := context.WithValue(t.Context(), traceKey{}, "trace 1")
	if got, err := s.Execute(ctx, "clerk", "order", "tea"); got != "ordered" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	reserved := stock.Next(t, mabeamtest.Is(mabeam.ActionCallback, "reserve"))
	if reserved.Params != "tea" || reserved.Context.Value(traceKey{}) != "trace 1" {
		t.Errorf("the stock got %v, of %v", reserved, reserved.Context.Value(traceKey{}))
	}
	if e := taken.Next(t, nil); e.Source != "clerk" || e.Data != "tea" {
		t.Errorf("published %+v", e)
	}
}

// A probe answers as the test wants it, here with an error.
func TestClerkRefusesWhatIsSoldOut(t *testing.T) {
	s := mabeamtest.Start(t, mabeam.Options{})
	soldOut := errors.New("sold out")
	stock := mabeamtest.Probe{Script: mabeamtest.Script{
		OnAction: func(context.Context, *mabeam.Agent, string, any) (any, error) { return nil, soldOut },
	}}
	startClerk(t, s, &stock, &mabeamtest.Probe{})
	if _, err := s.Execute(t.Context(), "clerk", "order", "tea"); !errors.Is(err, soldOut) {
		t.Errorf("got %v, want %v", err, soldOut)
	}
}

// In a bubble of testing/synctest a day takes no time, and passes to the nanosecond.
func TestClerkRemindsAfterADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{})
		owner := mabeamtest.Probe{Within: 48 * time.Hour}
		startClerk(t, s, &mabeamtest.Probe{}, &owner)
		ordered := time.Now()
		for _, item := range []string{"tea", "milk"} {
			if _, err := s.Execute(t.Context(), "clerk", "order", item); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Execute(t.Context(), "clerk", "pay", "milk"); err != nil {
			t.Fatal(err)
		}
		unpaid := owner.Next(t, mabeamtest.Is(mabeam.ActionCallback, "unpaid"))
		if after := time.Since(ordered); unpaid.Params != "tea" || after != 24*time.Hour {
			t.Errorf("reminded of %v after %v", unpaid.Params, after)
		}

		owner.Rest()
		time.Sleep(48 * time.Hour)
		synctest.Wait() // whatever was to come has come
		if more := owner.Rest(); len(more) > 0 {
			t.Errorf("reminded of what was paid: %v", more)
		}
	})
}

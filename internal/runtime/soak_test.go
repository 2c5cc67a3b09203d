package mabeam_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/guard"
	"mabeam-top/internal/runtime/mabeamtest"
	"mabeam-top/internal/runtime/supervision"
)

const (
	soakWorkers  = 12
	soakPeriod   = 2 * time.Second // of a worker's work
	soakWarm     = 10 * time.Minute
	soakDuration = time.Hour
)

// A soak is a system in mixed use for a long time.
type soak struct {
	t *testing.T
	s *mabeam.System

	// What behaviours and handlers saw.
	actions, answers, signals, events atomic.Int64
	dropped                           int64 // of those who were stuck
}

// worker is the behaviour of an agent that works now and again, asks another one, publishes,
// signals a group that it joins and leaves, and crashes every now and then.
func (k *soak) worker(seed uint64) *mabeamtest.Script {
	random := rand.New(rand.NewPCG(seed, seed))
	b := &mabeamtest.Script{OnInit: func(ctx context.Context, self *mabeam.Agent) error {
		self.Every(ctx, soakPeriod, "", "work", nil)
		_, err := self.Subscribe("work.done")
		return errors.Join(err, self.Join("workers"))
	}}
	b.OnAction = func(ctx context.Context, self *mabeam.Agent, action string, _ any) (any, error) {
		if action != "work" {
			k.actions.Add(1)
			return nil, nil
		}
		if random.IntN(30) == 0 {
			panic("on purpose")
		}
		k.work(ctx, self, random)
		k.actions.Add(1)
		return nil, nil
	}
	b.OnAnswer = func(_ context.Context, _ *mabeam.Agent, answer mabeam.AskResult) {
		if answer.Err == nil {
			k.answers.Add(1)
		}
	}
	b.OnEvent = func(context.Context, *mabeam.Agent, mabeam.Event) { k.events.Add(1) }
	b.OnSignal = func(context.Context, *mabeam.Agent, mabeam.Signal) { k.signals.Add(1) }
	return b
}

func (k *soak) work(ctx context.Context, self *mabeam.Agent, random *rand.Rand) {
	other := fmt.Sprint("worker", random.IntN(soakWorkers))
	_ = self.Ask(ctx, other, "answer", nil, nil)                               // it may not be there
	_ = self.Publish(ctx, "work.done", nil)                                    // a subscriber may be stuck
	_ = k.s.SignalTo(mabeam.Signal{Type: "worked"}, mabeam.ToGroup("workers")) // over the rate, perhaps
	if self.Leave("workers"); random.IntN(3) > 0 {
		_ = self.Join("workers")
	}
}

// visitor starts an agent that leaves after a while, and one that is killed at once.
func (k *soak) visitor() {
	b := &mabeamtest.Script{
		OnInit: func(ctx context.Context, self *mabeam.Agent) error {
			self.SendAfter(ctx, 30*time.Second, "", "leave", nil)
			return nil
		},
		OnAction: func(_ context.Context, self *mabeam.Agent, _ string, _ any) (any, error) {
			self.Stop()
			k.actions.Add(1)
			return nil, nil
		},
	}
	mabeamtest.StartAgent(k.t, k.s, mabeam.Spec{Type: "visitor", Behaviour: b})
	k.s.KillAgent(mabeamtest.StartAgent(k.t, k.s, mabeam.Spec{Behaviour: b}))
}

// stuck subscribes somebody who hangs for a while, with room for hardly anything.
func (k *soak) stuck() {
	release := make(chan struct{})
	sub, err := k.s.Bus().SubscribePattern("work.*", func(context.Context, mabeam.Event) {
		k.events.Add(1)
		<-release
	}, mabeam.SubscribeOptions{})
	if err != nil {
		k.t.Error(err)
	}
	time.Sleep(20 * time.Second)
	sub.Unsubscribe()
	close(release)
	synctest.Wait()
	k.dropped += int64(sub.Dropped())
}

// goOn lets the use go on for so long.
func (k *soak) goOn(d time.Duration) {
	for seconds := range int(d / time.Second) {
		time.Sleep(time.Second)
		k.visitor()
		if seconds%300 == 299 {
			k.stuck()
		}
	}
}

// objects is how many objects are in use.
func (k *soak) objects() uint64 {
	synctest.Wait()
	var m runtime.MemStats
	for range 3 { // what a pool holds is let go in the second collection
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapObjects
}

// audit holds the system's books against what was seen.
func (k *soak) audit() {
	tel := k.s.Telemetry()
	if tel.ActionsDone != k.actions.Load() {
		k.t.Errorf("%d actions are counted as done, %d were", tel.ActionsDone, k.actions.Load())
	}
	if tel.SignalsSent != tel.SignalsHandled+tel.SignalsDropped || tel.SignalsHandled != k.signals.Load() {
		k.t.Errorf("%d signals were handled: %+v", k.signals.Load(), tel)
	}
	if tel.EventsDelivered != k.events.Load() {
		k.t.Errorf("%d events were delivered: %+v", k.events.Load(), tel)
	}
	if tel.AgentsCrashed < 100 || tel.AgentsRestarted != tel.AgentsCrashed || k.answers.Load() < 1000 || k.dropped == 0 || tel.RateLimited == 0 {
		k.t.Errorf("this was no use to speak of: %d answers, %d dropped, %+v", k.answers.Load(), k.dropped, tel)
	}
}

// An hour of all that a system is for costs no memory: of what comes and goes each second
// nothing stays.
func TestSoak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mabeamtest.Start(t, mabeam.Options{
			BusQueue: 8, History: 100, WaitTimeout: time.Second,
			Rates: map[guard.Operation]guard.Rate{mabeam.OperationSignal: {PerSecond: 5, Burst: 5}},
		})
		k := &soak{t: t, s: s}
		v, err := supervision.Start(t.Context(), s, k.supervisor())
		if err != nil {
			t.Fatal(err)
		}
		k.goOn(soakWarm)
		before := k.objects()
		k.goOn(soakDuration - soakWarm)
		// One that stays each second would make 3,000.
		if grown := int64(k.objects()) - int64(before); grown > 1000 {
			t.Errorf("there are %d objects more than after %v, when there were %d", grown, soakWarm, before)
		}
		if err := v.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute) // the last visitors leave
		synctest.Wait()
		k.audit()
		if tel := s.Telemetry(); tel.Agents != 0 || tel.MailboxDepth != 0 || tel.Subscriptions != 0 || tel.HandlersAbandoned != 0 {
			t.Errorf("left: %+v", tel)
		}
	})
}

// supervisor is that of the workers.
func (k *soak) supervisor() supervision.Spec {
	var lives atomic.Uint64
	spec := supervision.Spec{
		Intensity: &supervision.Intensity{Restarts: math.MaxInt, Within: time.Minute},
		Backoff:   supervision.Backoff{From: time.Second, To: 10 * time.Second},
	}
	for i := range soakWorkers {
		spec.Children = append(spec.Children, supervision.Child{ID: fmt.Sprint("worker", i), New: func() mabeam.Spec {
			return mabeam.Spec{Type: "worker", Behaviour: k.worker(lives.Add(1))}
		}})
	}
	return spec
}

package load

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// An alarm goes off once, even if its clock stops and starts at that moment.
func TestAlarmGoesOffOnce(t *testing.T) {
	var c Clock
	var calls atomic.Int64
	called := make(chan struct{}, 2)
	c.after(time.Millisecond, func() {
		calls.Add(1)
		called <- struct{}{}
	})
	c.mu.Lock() // it goes off, and has to wait
	var a *alarm
	for one := range c.alarms {
		a = one
	}
	for a.timer.Stop() { // it has not gone off yet
		a.timer.Reset(0)
		time.Sleep(time.Millisecond)
	}
	a.timer.Reset(0) // what set does when the clock is started
	c.mu.Unlock()
	<-called
	// The second goroutine takes the lock before or after this; to call, it would have
	// to be expected.
	if c.forget(a) || calls.Load() != 1 {
		t.Errorf("it went off %d times", calls.Load())
	}
}

// A stopped clock delays an alarm, and an alarm can be cancelled.
func TestAlarms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		began := time.Now()
		var at []time.Duration
		c.after(3*time.Second, func() { at = append(at, time.Since(began)) })
		cancel := c.after(4*time.Second, func() { t.Error("it was called off") })
		time.Sleep(time.Second)
		c.SetStopped(true, time.Now())
		time.Sleep(time.Minute)
		c.SetStopped(false, time.Now())
		cancel()
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(at) != 1 || at[0] != 63*time.Second {
			t.Errorf("went off at %v", at)
		}
	})
}

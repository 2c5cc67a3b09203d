package load

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestWaiterKeepsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiter()
		defer w.close()
		for _, wait := range []time.Duration{0, -time.Second, time.Microsecond, time.Millisecond, time.Hour} {
			at := time.Now().Add(wait)
			if now, ok := w.until(t.Context(), at, nil); !ok || now != time.Now() || now.Before(at) || now.Sub(at) > max(-wait, 0) {
				t.Errorf("waited for %v until %v after it", wait, time.Since(at))
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, ok := w.until(ctx, began.Add(time.Hour), nil); ok || time.Since(began) != time.Second {
			t.Errorf("its context ended after 1 s, and it waited for %v", time.Since(began))
		}
		// A change of the rate ends the wait.
		turned := make(chan struct{})
		time.AfterFunc(time.Minute, func() { close(turned) })
		began = time.Now()
		if now, ok := w.until(t.Context(), began.Add(time.Hour), turned); !ok || now.Sub(began) != time.Minute {
			t.Errorf("the rate changed after 1 min, and it waited for %v", now.Sub(began))
		}
		// What was set for the wait that ended early does not end the next one.
		at := time.Now().Add(2 * time.Hour)
		if now, ok := w.until(t.Context(), at, nil); !ok || now != at {
			t.Errorf("waited until %v after the time", now.Sub(at))
		}
	})
}

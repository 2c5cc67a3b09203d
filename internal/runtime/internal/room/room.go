// Package room lets senders wait for room in a queue.
package room

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Room lets goroutines wait until a queue has room. All methods but Awaited need the lock of the
// queue. The zero value is ready to use.
type Room struct {
	opened  chan struct{} // closed when there is room; nil while nobody waits
	awaited atomic.Bool   // opened is not nil
	timed   bool          // the timer of OpenAfter runs
}

// Awaited reports whether anybody waits. It needs no lock.
func (r *Room) Awaited() bool { return r.awaited.Load() }

// Await returns the channel that is closed by Open. If nobody has waited before, isFirst is true, and
// the caller must look for room once more before it waits: whoever makes room calls Open only if
// Awaited is true.
func (r *Room) Await() (opened <-chan struct{}, isFirst bool) {
	if r.opened != nil {
		return r.opened, false
	}
	r.opened = make(chan struct{})
	r.awaited.Store(true)
	return r.opened, true
}

// Open wakes everybody who waits.
func (r *Room) Open() {
	if r.opened != nil {
		close(r.opened)
		r.opened = nil
		r.awaited.Store(false)
	}
}

// OpenAfter calls Open after a duration at the latest, with the lock. One timer for all who wait costs
// less than one for each, because most waits are short.
func (r *Room) OpenAfter(d time.Duration, lock sync.Locker) {
	if r.timed {
		return
	}
	r.timed = true
	time.AfterFunc(d, func() {
		lock.Lock()
		defer lock.Unlock()
		r.timed = false
		r.Open()
	})
}

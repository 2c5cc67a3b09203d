package mabeam

import (
	"slices"
	"sync"
	"sync/atomic"
)

// A DepthWatch keeps the depth of the deepest mailbox for one who looks at it now and
// then. It does not keep its system alive.
type DepthWatch struct {
	watches *depthWatches
	deepest atomic.Int64
}

// WatchDepth returns a watch of the system's mailboxes. Close ends it.
func (s *System) WatchDepth() *DepthWatch {
	w := &DepthWatch{watches: s.depths}
	s.depths.change(func(list []*DepthWatch) []*DepthWatch { return append(list, w) })
	return w
}

// Take returns the depth of the deepest of the mailboxes that got a message since it was
// called last.
func (w *DepthWatch) Take() int64 { return w.deepest.Swap(0) }

// Close ends the watch.
func (w *DepthWatch) Close() {
	w.watches.change(func(list []*DepthWatch) []*DepthWatch {
		return slices.DeleteFunc(list, func(x *DepthWatch) bool { return x == w })
	})
}

// see notes how deep a mailbox is.
func (w *DepthWatch) see(depth int64) {
	for deepest := w.deepest.Load(); depth > deepest; deepest = w.deepest.Load() {
		if w.deepest.CompareAndSwap(deepest, depth) {
			return
		}
	}
}

// depthWatches are those of a system. The zero value is ready to use.
type depthWatches struct {
	mu   sync.Mutex
	list atomic.Pointer[[]*DepthWatch] // replaced, never changed; nil if there are none
}

func (d *depthWatches) change(f func([]*DepthWatch) []*DepthWatch) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []*DepthWatch
	if now := d.list.Load(); now != nil {
		list = slices.Clone(*now)
	}
	if list = f(list); len(list) == 0 {
		d.list.Store(nil)
	} else {
		d.list.Store(&list)
	}
}

// see shows all of them how deep a mailbox is.
func (d *depthWatches) see(depth int) {
	list := d.list.Load()
	if list == nil {
		return
	}
	for _, w := range *list {
		w.see(int64(depth))
	}
}

package mabeam

import (
	"sync/atomic"
	"unsafe"
)

// A topicCache finds the topics that are published to most without hashing
// their names. Publishers nearly always name an event type by the same string
// in memory, so its address tells where to look; the name decides.
type topicCache [64]atomic.Pointer[topic]

func (c *topicCache) slot(name string) *atomic.Pointer[topic] {
	address := uintptr(unsafe.Pointer(unsafe.StringData(name)))
	return &c[(address>>3^address>>9)%uintptr(len(c))]
}

// get returns the topic of that name, or nil if it is not in the cache.
func (c *topicCache) get(name string) *topic {
	t := c.slot(name).Load()
	if t == nil || !isSameString(t.name, name) || t.forgotten.Load() {
		return nil
	}
	return t
}

// isSameString compares two strings that mostly are the same one in memory, which spares a
// call: callers nearly always name an event type or an action by the same one.
func isSameString(x, y string) bool {
	return len(x) == len(y) && (unsafe.StringData(x) == unsafe.StringData(y) || x == y)
}

func (c *topicCache) put(name string, t *topic) { c.slot(name).Store(t) }

// clear lets go of the topics that were forgotten.
func (c *topicCache) clear() {
	for i := range c {
		c[i].Store(nil)
	}
}

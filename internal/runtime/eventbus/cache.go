package eventbus

import (
	"sync/atomic"
	"unsafe"

	"mabeam-top/internal/runtime/internal/interned"
)

// A topicCache finds the topics that are published to most without hashing their names. Publishers nearly
// always name an event type by the same string in memory, so the address of the string selects the slot,
// and the name confirms it.
type topicCache [64]atomic.Pointer[Topic]

// slot returns the slot for a name.
func (c *topicCache) slot(name string) *atomic.Pointer[Topic] {
	address := uintptr(unsafe.Pointer(unsafe.StringData(name)))
	return &c[(address>>3^address>>9)%uintptr(len(c))]
}

// get returns the topic of that name, or nil if it is not in the cache.
func (c *topicCache) get(name string) *Topic {
	t := c.slot(name).Load()
	if t == nil || !interned.Equal(t.name, name) || t.forgotten.Load() {
		return nil
	}
	return t
}

// put adds a topic in place of another one.
func (c *topicCache) put(name string, t *Topic) { c.slot(name).Store(t) }

// clear removes all topics, so that forgotten ones can be freed.
func (c *topicCache) clear() {
	for i := range c {
		c[i].Store(nil)
	}
}

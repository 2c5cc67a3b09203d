// Package table has a hash table that is read without locks.
package table

import (
	"hash/maphash"
	"sync/atomic"
)

// tableParts is how many parts a table has. Each part grows by itself, so that no write has to
// copy the whole table. It is a power of two.
const parts = 64

// A Table maps strings to *V. Get takes no lock and may be called at any time. Writers must take
// turns, with a lock of their own.
//
// The table uses open addressing with linear probing. A slot keeps its key until its part is
// rebuilt: Remove leaves a tombstone, because another key in the slot would mislead a reader that
// is probing.
type Table[V any] struct {
	seed  maphash.Seed
	dead  *V // the tombstone
	parts [parts]tablePart[V]
}

type tablePart[V any] struct {
	slots atomic.Pointer[[]tableSlot[V]]
	taken int // the slots with a key, tombstones included
	live  int // the slots with a value
}

type tableSlot[V any] struct {
	// hash and key are written once, before value, so a reader that has seen a value may
	// read them.
	hash  uint64
	key   string
	value atomic.Pointer[V]
}

// New returns an empty table.
func New[V any]() *Table[V] {
	t := &Table[V]{seed: maphash.MakeSeed(), dead: new(V)}
	for i := range t.parts {
		slots := make([]tableSlot[V], 8)
		t.parts[i].slots.Store(&slots)
	}
	return t
}

// part returns the part of a hash. The upper bits select the part, the lower ones the slot.
func (t *Table[V]) part(hash uint64) *tablePart[V] {
	return &t.parts[hash>>58%parts]
}

// Get returns the value of a key, or nil.
func (t *Table[V]) Get(key string) *V {
	hash := maphash.String(t.seed, key)
	slots := *t.part(hash).slots.Load()
	mask := uint64(len(slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := &slots[i]
		v := s.value.Load()
		if v == nil {
			return nil
		}
		if s.hash == hash && s.key == key {
			if v == t.dead {
				return nil
			}
			return v
		}
	}
}

// Add sets the value of a key. It returns false, and changes nothing, if the key has one.
func (t *Table[V]) Add(key string, value *V) bool {
	hash := maphash.String(t.seed, key)
	p := t.part(hash)
	slots := *p.slots.Load()
	if (p.taken+1)*4 > len(slots)*3 {
		slots = p.rebuild(t.dead)
	}
	mask := uint64(len(slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := &slots[i]
		old := s.value.Load()
		if old != nil && (s.hash != hash || s.key != key) {
			continue
		}
		if old != nil && old != t.dead {
			return false
		}
		if old == nil {
			s.hash, s.key = hash, key
			p.taken++
		}
		p.live++
		s.value.Store(value)
		return true
	}
}

// rebuild replaces the slots of the part. The new ones have no tombstones, and room for twice as
// many values.
func (p *tablePart[V]) rebuild(dead *V) []tableSlot[V] {
	size := 8
	for size < (p.live+1)*2 {
		size *= 2
	}
	slots := make([]tableSlot[V], size)
	mask := uint64(size - 1)
	for i := range *p.slots.Load() {
		old := &(*p.slots.Load())[i]
		v := old.value.Load()
		if v == nil || v == dead {
			continue
		}
		j := old.hash & mask
		for slots[j].value.Load() != nil {
			j = (j + 1) & mask
		}
		slots[j].hash, slots[j].key = old.hash, old.key
		slots[j].value.Store(v)
	}
	p.taken = p.live
	p.slots.Store(&slots)
	return slots
}

// Remove removes a key if it has the given value. It reports whether it did.
func (t *Table[V]) Remove(key string, value *V) bool {
	hash := maphash.String(t.seed, key)
	p := t.part(hash)
	slots := *p.slots.Load()
	mask := uint64(len(slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := &slots[i]
		v := s.value.Load()
		if v == nil {
			return false
		}
		if s.hash != hash || s.key != key {
			continue
		}
		if v != value {
			return false
		}
		s.value.Store(t.dead)
		p.live--
		if p.live*8 < len(slots) && len(slots) > 64 {
			p.rebuild(t.dead) // to free the memory
		}
		return true
	}
}

// Each calls f for every value. The caller must hold the writers' lock.
func (t *Table[V]) Each(f func(*V)) {
	for i := range t.parts {
		slots := *t.parts[i].slots.Load()
		for j := range slots {
			if v := slots[j].value.Load(); v != nil && v != t.dead {
				f(v)
			}
		}
	}
}

// A Walk goes through a table again and again, some slots at a time. The zero value begins with the
// first slot.
type Walk[V any] struct{ part, slot int }

// Next visits the values in the next slots, up to the end of the table. It needs no lock.
func (w *Walk[V]) Next(t *Table[V], slots int, visit func(*V)) {
	for slots > 0 {
		all := *t.parts[w.part].slots.Load()
		for ; w.slot < len(all) && slots > 0; w.slot++ {
			slots--
			if v := all[w.slot].value.Load(); v != nil && v != t.dead {
				visit(v)
			}
		}
		if w.slot < len(all) {
			return
		}
		w.part, w.slot = (w.part+1)%parts, 0
		if w.part == 0 {
			return
		}
	}
}

package mabeam

import (
	"hash/maphash"
	"sync/atomic"
)

// tableParts divides a table so that growing stalls its writer for a part of
// it only. It is a power of two.
const tableParts = 64

// A table maps strings to *V. Any number of goroutines may get while one puts
// or deletes: readers take no lock. Writers need one of their own.
//
// It is open addressing with linear probing. A slot, once taken, keeps its key
// until the part is rebuilt: deleting leaves a tombstone, so that a reader in
// the middle of a probe never finds another key where it was.
type table[V any] struct {
	seed  maphash.Seed
	dead  *V // the tombstone
	parts [tableParts]tablePart[V]
}

type tablePart[V any] struct {
	slots atomic.Pointer[[]tableSlot[V]]
	taken int // slots with a key, dead ones too
	live  int
}

type tableSlot[V any] struct {
	// hash and key are written before value is set and never again, so a
	// reader that saw a value may read them.
	hash  uint64
	key   string
	value atomic.Pointer[V]
}

func newTable[V any]() *table[V] {
	t := &table[V]{seed: maphash.MakeSeed(), dead: new(V)}
	for i := range t.parts {
		slots := make([]tableSlot[V], 8)
		t.parts[i].slots.Store(&slots)
	}
	return t
}

// part picks by the upper bits of the hash; the slot is picked by the lower.
func (t *table[V]) part(hash uint64) *tablePart[V] {
	return &t.parts[hash>>58%tableParts]
}

// get returns the value of the key, or nil.
func (t *table[V]) get(key string) *V {
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

// add sets the value of a key that has none; it says false if it has one.
func (t *table[V]) add(key string, value *V) bool {
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

// rebuild lays the part out anew, without tombstones and with room for as many
// entries again.
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

// remove takes the key out if it has that value, which it says.
func (t *table[V]) remove(key string, value *V) bool {
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
			p.rebuild(t.dead) // give the memory of a population that left back
		}
		return true
	}
}

// each calls f for every entry; the caller holds the writers' lock.
func (t *table[V]) each(f func(*V)) {
	for i := range t.parts {
		slots := *t.parts[i].slots.Load()
		for j := range slots {
			if v := slots[j].value.Load(); v != nil && v != t.dead {
				f(v)
			}
		}
	}
}

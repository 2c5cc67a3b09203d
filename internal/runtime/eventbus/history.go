package eventbus

import (
	"sync"
	"sync/atomic"
)

// A history holds the newest events of a bus, of all types together. Publishers write to it
// concurrently: the number of an event determines its slot, so two publishers meet in a slot only if one
// is a whole round behind.
type history struct {
	kept int // how many events newest returns at most
	// pages are allocated when their first event comes. Their number is a power of two.
	pages []atomic.Pointer[[historyPage]historySlot]
	// lost is the number of the newest event that a crash has lost.
	lost atomic.Uint64
}

// historyPage is the number of slots of a page.
const historyPage = 64

type historySlot struct {
	mu     sync.Mutex
	number uint64 // of the event; 0 is none
	event  Event
}

// newHistory returns a history that keeps a number of events; nil if the number is not above 0.
func newHistory(kept int) *history {
	if kept <= 0 {
		return nil
	}
	pages := 1
	for pages*historyPage < kept {
		pages *= 2
	}
	return &history{kept: kept, pages: make([]atomic.Pointer[[historyPage]historySlot], pages)}
}

// slot returns the slot of an event number; nil if its page is not allocated.
func (h *history) slot(number uint64) *historySlot {
	page := h.page(number).Load()
	if page == nil {
		return nil
	}
	return &page[number%historyPage]
}

func (h *history) page(number uint64) *atomic.Pointer[[historyPage]historySlot] {
	return &h.pages[number/historyPage&uint64(len(h.pages)-1)]
}

// put replaces the event in the slot of a number, unless that is newer.
func (h *history) put(number uint64, e *Event) {
	s := h.slot(number)
	if s == nil {
		h.page(number).CompareAndSwap(nil, new([historyPage]historySlot))
		s = h.slot(number)
	}
	s.mu.Lock()
	if s.number < number {
		s.number = number
		e.copyTo(&s.event)
	}
	s.mu.Unlock()
}

// newest returns up to limit events with numbers up to the given one, oldest first. An event that is
// just being published may be missing.
func (h *history) newest(number uint64, limit int) []Event {
	first := max(number-min(number, uint64(min(limit, h.kept))), h.lost.Load())
	events := make([]Event, 0, number-first)
	for n := first + 1; n <= number; n++ {
		s := h.slot(n)
		if s == nil {
			continue
		}
		s.mu.Lock()
		if s.number == n {
			events = append(events, s.event)
		}
		s.mu.Unlock()
	}
	return events
}

// lose discards the events with numbers up to the given one.
func (h *history) lose(number uint64) {
	h.lost.Store(number)
	for i := range h.pages {
		page := h.pages[i].Load()
		if page == nil {
			continue
		}
		for j := range page {
			s := &page[j]
			s.mu.Lock()
			if s.number <= number {
				s.event = Event{} // so that its data can be freed
			}
			s.mu.Unlock()
		}
	}
}

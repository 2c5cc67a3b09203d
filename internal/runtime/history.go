package mabeam

import (
	"sync"
	"sync/atomic"
)

// A history holds the newest events of a bus, of all types together. Publishers of
// different types write to it side by side: each event has a slot by its number, and
// two meet only if one is a whole round behind.
type history struct {
	kept int // how many events it tells of, at most
	// pages are made when the first event of each comes; their number is a power of
	// two.
	pages []atomic.Pointer[[historyPage]historySlot]
	// lost is the number of the newest event that was lost.
	lost atomic.Uint64
}

// historyPage is how many slots a page has.
const historyPage = 64

type historySlot struct {
	mu     sync.Mutex
	number uint64 // of the event; 0 is none
	event  Event
}

// newHistory returns a history of that many events; nil if there are to be none.
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

// slot is the place of the event with a number; nil if nothing was put on its page.
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

// put keeps an event instead of the one that has its slot, unless that is newer.
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

// newest returns up to limit of the events with numbers up to that of the newest,
// oldest first. One that is just being published may be missing.
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

// lose forgets the events with numbers up to that of the newest.
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
				s.event = Event{} // what it holds may be freed
			}
			s.mu.Unlock()
		}
	}
}

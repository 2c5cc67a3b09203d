package mabeam

import (
	"cmp"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// An AbandonedHandler is a callback that goes on although its agent has ended: it does
// not heed its context.
type AbandonedHandler struct {
	AgentID, AgentType string
	// Since is when the agent ended.
	Since time.Time
}

// abandonedHandlers are those of a system. Each counts against the limit on agents
// until it returns. The zero value is ready to use.
type abandonedHandlers struct {
	mu sync.Mutex
	of map[*Agent]abandonment
}

type abandonment struct {
	since time.Time
	log   *time.Timer // tells the logger, once it goes on for long; nil if there is none
}

func (h *abandonedHandlers) add(a *Agent) {
	s := a.system
	s.limits.acquireAnyway()
	made := abandonment{since: time.Now()}
	if s.options.Logger != nil {
		made.log = time.AfterFunc(s.options.WaitTimeout, func() {
			s.options.log(slog.LevelWarn, "callback goes on after its agent's end", "agent", a.ID(), "type", a.entry.Record().Type, "ended", made.since)
		})
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.of == nil {
		h.of = make(map[*Agent]abandonment)
	}
	h.of[a] = made
}

// remove notes that a handler has come back, if it was abandoned.
func (h *abandonedHandlers) remove(a *Agent) {
	h.mu.Lock()
	made, was := h.of[a]
	delete(h.of, a)
	h.mu.Unlock()
	if !was {
		return
	}
	a.system.limits.release()
	if made.log != nil {
		made.log.Stop()
	}
}

func (h *abandonedHandlers) count() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return int64(len(h.of))
}

// AbandonedHandlers lists the callbacks that go on although their agents have ended,
// the oldest first.
func (s *System) AbandonedHandlers() []AbandonedHandler {
	h := &s.abandoned
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]AbandonedHandler, 0, len(h.of))
	for a, made := range h.of {
		list = append(list, AbandonedHandler{AgentID: a.ID(), AgentType: a.entry.Record().Type, Since: made.since})
	}
	slices.SortFunc(list, func(x, y AbandonedHandler) int {
		return cmp.Or(x.Since.Compare(y.Since), strings.Compare(x.AgentID, y.AgentID))
	})
	return list
}

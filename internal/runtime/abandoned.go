package runtime

import (
	"cmp"
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
	limits *limits

	mu    sync.Mutex
	since map[*Agent]time.Time
}

func (h *abandonedHandlers) add(a *Agent) {
	h.limits.enterAnyway()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.since == nil {
		h.since = make(map[*Agent]time.Time)
	}
	h.since[a] = time.Now()
}

// remove notes that a handler has come back, if it was abandoned.
func (h *abandonedHandlers) remove(a *Agent) {
	h.mu.Lock()
	_, was := h.since[a]
	delete(h.since, a)
	h.mu.Unlock()
	if was {
		h.limits.leave()
	}
}

func (h *abandonedHandlers) count() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return int64(len(h.since))
}

// AbandonedHandlers lists the callbacks that go on although their agents have ended,
// the oldest first.
func (s *System) AbandonedHandlers() []AbandonedHandler {
	h := &s.abandoned
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]AbandonedHandler, 0, len(h.since))
	for a, since := range h.since {
		list = append(list, AbandonedHandler{AgentID: a.ID(), AgentType: a.Record().Type, Since: since})
	}
	slices.SortFunc(list, func(x, y AbandonedHandler) int {
		return cmp.Or(x.Since.Compare(y.Since), strings.Compare(x.AgentID, y.AgentID))
	})
	return list
}

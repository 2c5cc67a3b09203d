package mabeam_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"
)

// Operations are a history that several clients keep at once. Its clock counts, for it has to
// tell any two moments apart.
type operations struct {
	clock atomic.Int64
	mu    sync.Mutex
	list  []porcupine.Operation
}

// note carries an operation out, and keeps it with what came of it.
func (h *operations) note(client int, input any, do func() (output any)) {
	called := h.clock.Add(1)
	output := do()
	returned := h.clock.Add(1)
	h.add(porcupine.Operation{ClientId: client, Input: input, Call: called, Output: output, Return: returned})
}

func (h *operations) add(op porcupine.Operation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, op)
}

// check says whether the operations can have taken place one after the other, each at some
// moment between its call and its return.
func (h *operations) check(model porcupine.NondeterministicModel) error {
	if result := porcupine.CheckOperationsTimeout(model.ToModel(), h.list, time.Minute); result != porcupine.Ok {
		return fmt.Errorf("history of %d operations: %v", len(h.list), result)
	}
	return nil
}

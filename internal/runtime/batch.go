package mabeam

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"mabeam-top/internal/runtime/internal/failure"
)

// A BatchFailure is one of many that failed.
type BatchFailure struct {
	// Index is its place in the input.
	Index int
	// ID is that of the agent; empty if it was to be chosen by the runtime.
	ID  string
	Err error
}

// A BatchError says which of many failed. errors.Is and errors.As look at all
// of them.
type BatchError struct {
	Failures []BatchFailure // in the order of the input
	Of       int            // the length of the input
}

// maxListedFailures is how many failures the text of a BatchError shows.
const maxListedFailures = 3

func (e *BatchError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d of %d failed: ", len(e.Failures), e.Of)
	for i, f := range e.Failures {
		if i == maxListedFailures {
			fmt.Fprintf(&text, "; and %d more", len(e.Failures)-i)
			break
		}
		if i > 0 {
			text.WriteString("; ")
		}
		fmt.Fprintf(&text, "number %d: %v", f.Index, f.Err)
	}
	return text.String()
}

// Unwrap returns the errors of all that failed.
func (e *BatchError) Unwrap() []error {
	errs := make([]error, len(e.Failures))
	for i, f := range e.Failures {
		errs[i] = f.Err
	}
	return errs
}

// StartAgents starts many agents, up to concurrency of them at once; 0 means
// as many as Go runs at once (GOMAXPROCS). It returns their ids in the order of
// the specs, empty for those that did not start, which a *BatchError lists. One
// that fails does not keep the others from being started; when ctx ends, no
// more are begun.
func (s *System) StartAgents(ctx context.Context, specs []Spec, concurrency int) ([]string, error) {
	ids := make([]string, len(specs))
	err := forEach(ctx, len(specs), concurrency, func(i int) string { return specs[i].ID }, func(i int) (err error) {
		ids[i], err = s.StartAgent(ctx, specs[i])
		return err
	})
	if err != nil {
		return ids, fmt.Errorf("start agents: %w", err)
	}
	return ids, nil
}

// StopAgents stops many agents, as StopAgent does, up to concurrency of them at
// once; 0 means as many as Go runs at once (GOMAXPROCS). A *BatchError lists
// those that did not stop in time. When ctx ends, no more are asked to stop.
func (s *System) StopAgents(ctx context.Context, ids []string, concurrency int) error {
	err := forEach(ctx, len(ids), concurrency, func(i int) string { return ids[i] }, func(i int) error {
		return s.StopAgent(ctx, ids[i])
	})
	if err != nil {
		return fmt.Errorf("stop agents: %w", err)
	}
	return nil
}

// forEach calls do for 0 to n-1, up to concurrency at once, and returns once all
// that were begun have ended.
func forEach(ctx context.Context, n, concurrency int, id func(int) string, do func(int) error) error {
	if err := atLeastZero("concurrency", concurrency); err != nil {
		return err
	}
	if concurrency == 0 {
		concurrency = runtime.GOMAXPROCS(0)
	}
	errs := make([]error, n)
	var next atomic.Int64
	var workers sync.WaitGroup
	var work func()
	work = func() {
		i := 0
		defer func() {
			if i < n { // a callback has ended the goroutine
				errs[i] = &PanicError{}
				workers.Go(work)
			}
		}()
		for i = int(next.Add(1) - 1); i < n; i = int(next.Add(1) - 1) {
			if ctx.Err() != nil {
				errs[i] = fmt.Errorf("not begun: %w", failure.ContextError(ctx))
				continue
			}
			errs[i] = do(i)
		}
	}
	for range min(concurrency, n) {
		workers.Go(work)
	}
	workers.Wait()
	var failures []BatchFailure
	for i, err := range errs {
		if err != nil {
			failures = append(failures, BatchFailure{Index: i, ID: id(i), Err: err})
		}
	}
	if failures == nil {
		return nil
	}
	return &BatchError{Failures: failures, Of: n}
}

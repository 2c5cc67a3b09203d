package uitest

import (
	"context"
	"runtime"
	"sync"

	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/session"
)

// A Feed is a run whose events a test adds by hand.
type Feed struct {
	*session.Run
	take func(stream.Event)
	end  chan error
}

// Start starts a run and feeds it. The run takes commands if there is a recorder
// for them.
func Start(r *session.Run, source *FeedSource) *Feed {
	r.Start(context.Background()) // until End
	return &Feed{r, <-source.taken, source.end}
}

// Emit adds an event.
func (f *Feed) Emit(e stream.Event) { f.take(e) }

// Script adds the events of the script from a time on, up to and including
// another. Before the first event, from is negative.
func (f *Feed) Script(from, until float64) {
	for _, e := range Script() {
		if e.T > from && e.T <= until {
			f.take(e)
		}
	}
}

// End ends the run with an error, and waits for its end.
func (f *Feed) End(err error) {
	f.end <- err
	for !f.Ended() {
		runtime.Gosched()
	}
}

// A FeedSource is the source of a Feed.
type FeedSource struct {
	taken chan func(stream.Event)
	end   chan error
}

// NewFeedSource returns the source of one run.
func NewFeedSource() *FeedSource {
	return &FeedSource{make(chan func(stream.Event), 1), make(chan error, 1)}
}

// Run implements stream.Source.
func (f *FeedSource) Run(_ context.Context, take func(stream.Event)) error {
	f.taken <- take
	return <-f.end
}

// Commands records commands, or refuses them.
type Commands struct {
	mu   sync.Mutex
	Took []stream.Command
	Err  error
}

// Command implements stream.Steerable.
func (c *Commands) Command(command stream.Command) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Err != nil {
		return c.Err
	}
	c.Took = append(c.Took, command)
	return nil
}

// Steering returns the commands that steer, without inspections.
func (c *Commands) Steering() []stream.Command {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []stream.Command
	for _, command := range c.Took {
		if command.Do != stream.SetInspection {
			out = append(out, command)
		}
	}
	return out
}

// Inspections returns the inspections that were requested.
func (c *Commands) Inspections() []stream.Inspect {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []stream.Inspect
	for _, command := range c.Took {
		if command.Do == stream.SetInspection {
			out = append(out, command.Inspect)
		}
	}
	return out
}

// Steered is a source that takes commands.
type Steered struct {
	stream.Source
	*Commands
}

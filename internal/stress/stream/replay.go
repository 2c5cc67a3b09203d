package stream

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"mabeam-top/internal/stress/report"
)

// The bounds of a replay's speed.
const (
	MinSpeed = 0.25
	MaxSpeed = 16
)

// A Replay is a Source that plays a recording in the time that the run took, or
// faster or slower. It takes the commands Seek and SetSpeed, and no other.
//
// Where it goes back it begins anew: it emits run_started again, and at once
// all that comes before the place it went to. Its Run ends only with its
// context, because a recording that has come to its end can still go back.
type Replay struct {
	recording *Recording
	// changed wakes Run after a command.
	changed chan struct{}

	mu sync.Mutex
	// at is the position at the moment since, in seconds since the start of
	// the recorded run. The clock stands until Run begins.
	at    float64
	since time.Time
	speed float64
	held  bool
	// catching says that what comes before the position is still being
	// emitted.
	catching bool
}

// NewReplay returns a replay that begins at the start, at the speed of the run.
func NewReplay(r *Recording) *Replay {
	return &Replay{recording: r, changed: make(chan struct{}, 1), speed: 1}
}

// Playback is how far a replay is.
type Playback struct {
	// At and Length are in seconds since the start of the recorded run.
	At, Length float64
	// Speed is 1 for that of the run.
	Speed float64
	// Held says that it stands still, because that was asked for.
	Held bool
	// Ended says that it has come to its end and stands there.
	Ended bool
	// Catching says that the events before the position are still on their
	// way: whoever folds them is about to know as much as the position says.
	Catching bool
}

// Playback tells how far the replay is now.
func (r *Replay) Playback() Playback {
	r.mu.Lock()
	defer r.mu.Unlock()
	length := r.recording.Length()
	at := r.position(time.Now())
	return Playback{At: at, Length: length, Speed: r.speed, Held: r.held, Ended: at >= length, Catching: r.catching}
}

// position is where the replay is at a time; the lock is held.
func (r *Replay) position(now time.Time) float64 {
	at := r.at
	if !r.since.IsZero() && !r.held {
		at += now.Sub(r.since).Seconds() * r.speed
	}
	return min(max(at, 0), r.recording.Length())
}

// Command implements Steerable.
func (r *Replay) Command(c Command) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.position(time.Now())
	switch c.Do {
	case Seek:
		if !report.Finite(c.To) {
			return fmt.Errorf("seek: %v is no time", c.To)
		}
		at = min(max(c.To, 0), r.recording.Length())
		r.catching = true
	case SetSpeed:
		if !(c.Speed >= MinSpeed && c.Speed <= MaxSpeed) {
			return fmt.Errorf("speed: expected %v to %v, not %v", MinSpeed, MaxSpeed, c.Speed)
		}
		r.speed, r.held = c.Speed, c.Paused
	default:
		return ErrNotSteerable
	}
	r.at = at
	if !r.since.IsZero() {
		r.since = time.Now()
	}
	select {
	case r.changed <- struct{}{}:
	default: // it is about to look anyway
	}
	return nil
}

// Run implements Source. It returns nil when ctx ends.
func (r *Replay) Run(ctx context.Context, emit func(Event)) error {
	r.mu.Lock()
	r.since = time.Now()
	r.mu.Unlock()
	events := r.recording.Events
	for next := 0; ; {
		r.mu.Lock()
		at := r.position(time.Now())
		r.mu.Unlock()
		due := r.due(at)
		if due < next {
			next = 0
		}
		for ; next < due && ctx.Err() == nil; next++ {
			emit(events[next])
		}
		if ctx.Err() != nil {
			return nil
		}
		wait, ends := r.caughtUp(next, due)
		if !ends {
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-r.changed:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return nil
		}
	}
}

// due returns how many events come at that time or before it; the first does in
// any case.
func (r *Replay) due(at float64) int {
	i, _ := slices.BinarySearchFunc(r.recording.Events, at, func(e Event, at float64) int {
		if e.T <= at {
			return -1
		}
		return 1
	})
	return max(i, 1)
}

// idle is how long Run sleeps when only a command can change anything.
const idle = time.Hour

// caughtUp notes that the events up to next were emitted, and returns how long
// there is nothing to do; false if a command came meanwhile.
func (r *Replay) caughtUp(next, due int) (time.Duration, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.position(time.Now())
	if now := r.due(at); r.catching && now != due {
		return 0, false
	}
	r.catching = false
	if r.held || next == len(r.recording.Events) {
		return idle, true
	}
	seconds := (r.recording.Events[next].T - at) / r.speed
	// Rounded up, so that the event is due when the timer says so.
	return time.Duration(seconds*float64(time.Second)) + time.Nanosecond, true
}

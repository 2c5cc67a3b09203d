package stream

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"mabeam-top/internal/stress/report"
)

// The limits of the speed of a replay.
const (
	MinSpeed = 0.25
	MaxSpeed = 16
)

// A Replay is a Source that plays a recording at the original speed, or faster or slower.
// It accepts the commands Seek and SetSpeed only.
//
// To seek backwards it starts again: it emits run_started and immediately all events up to
// the target. Run returns only when its context ends, because a viewer can still seek
// backwards at the end of the recording.
type Replay struct {
	recording *Recording
	// changed wakes Run after a command.
	changed chan struct{}

	mu sync.Mutex
	// at is the position at the time since, in seconds since the start of the
	// recorded run. since is zero until Run begins.
	at     float64
	since  time.Time
	speed  float64
	paused bool
	// seeking is true until the events before the position are emitted.
	seeking bool
}

// NewReplay returns a replay from the start of the recording, at its original speed.
func NewReplay(r *Recording) *Replay {
	return &Replay{recording: r, changed: make(chan struct{}, 1), speed: 1}
}

// Playback is the position of a replay.
type Playback struct {
	// At and Length are in seconds since the start of the recorded run.
	At, Length float64
	// Speed is 1 for the original speed.
	Speed  float64
	Paused bool
	// Ended reports whether the position is the end of the recording.
	Ended bool
	// Seeking reports whether consumers have not yet received all events before the
	// position.
	Seeking bool
}

// Playback returns the current position.
func (r *Replay) Playback() Playback {
	r.mu.Lock()
	defer r.mu.Unlock()
	length := r.recording.Length()
	at := r.position(time.Now())
	return Playback{At: at, Length: length, Speed: r.speed, Paused: r.paused, Ended: at >= length, Seeking: r.seeking}
}

// position is the position at a time. The caller holds the lock.
func (r *Replay) position(now time.Time) float64 {
	at := r.at
	if !r.since.IsZero() && !r.paused {
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
			return fmt.Errorf("seek: %v is not a time", c.To)
		}
		at = min(max(c.To, 0), r.recording.Length())
		r.seeking = true
	case SetSpeed:
		if !(c.Speed >= MinSpeed && c.Speed <= MaxSpeed) {
			return fmt.Errorf("speed: expected %v to %v, not %v", MinSpeed, MaxSpeed, c.Speed)
		}
		r.speed, r.paused = c.Speed, c.Paused
	default:
		return ErrNotSteerable
	}
	r.at = at
	if !r.since.IsZero() {
		r.since = time.Now()
	}
	select {
	case r.changed <- struct{}{}:
	default: // Run has a wake-up pending
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

// due returns the number of events up to that time, and at least 1.
func (r *Replay) due(at float64) int {
	i, _ := slices.BinarySearchFunc(r.recording.Events, at, func(e Event, at float64) int {
		if e.T <= at {
			return -1
		}
		return 1
	})
	return max(i, 1)
}

// idle is how long Run sleeps when only a command can wake it.
const idle = time.Hour

// caughtUp records that the events before next are emitted, and returns the time until
// the next event, or false if a command moved the position meanwhile.
func (r *Replay) caughtUp(next, due int) (time.Duration, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.position(time.Now())
	if now := r.due(at); r.seeking && now != due {
		return 0, false
	}
	r.seeking = false
	if r.paused || next == len(r.recording.Events) {
		return idle, true
	}
	seconds := (r.recording.Events[next].T - at) / r.speed
	// Rounded up, so that the event is due when the timer fires.
	return time.Duration(seconds*float64(time.Second)) + time.Nanosecond, true
}

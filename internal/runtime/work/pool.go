package work

import (
	"context"
	"errors"
	"fmt"

	mabeam "mabeam-top/internal/runtime"
)

// ErrNoMember means that nobody is in the group.
var ErrNoMember = errors.New("no member")

// A Job is a piece of work: an action that a member carries out.
type Job struct {
	Action string
	Params any
}

// Options say how a pool hands work out. The zero value is usable.
type Options struct {
	// Strategy picks the member that gets a job; nil means RoundRobin.
	Strategy Strategy
	// HandOutAgain gives a job to another member if the one that had it ended, or was
	// asked to stop, before it began the job. For Tell that is as long as it waits for
	// room; what a member has accepted from it is not handed out again.
	HandOutAgain bool
}

// A Pool hands out work among the members of a group. Any number of goroutines may use it.
type Pool struct {
	system  *mabeam.System
	group   string
	options Options
}

// NewPool returns a pool of the members that a group has now and later.
func NewPool(system *mabeam.System, group string, o Options) *Pool {
	if o.Strategy == nil {
		o.Strategy = RoundRobin()
	}
	return &Pool{system: system, group: group, options: o}
}

// Do has a member carry out an action, and returns its result, as Ref.Execute does. The
// error is ErrNoMember, or the *mabeam.ActionError of the member that had the job last.
func (p *Pool) Do(ctx context.Context, action string, params any) (result any, err error) {
	err = p.give(ctx, Job{action, params}, func(member mabeam.Ref) (err error) {
		result, err = member.Execute(ctx, action, params)
		return err
	})
	return result, err
}

// Tell leaves an action in the mailbox of a member, and does not wait for its result. It
// waits for room there, as Ref.Tell does. The error, as that of Do, means that no member has
// accepted the job.
func (p *Pool) Tell(ctx context.Context, action string, params any) error {
	return p.give(ctx, Job{action, params}, func(member mabeam.Ref) error {
		return member.Tell(ctx, action, params)
	})
}

// give gives a job to a member, and to another one as long as that is wanted. Each time that
// it does so, there is one member less: those that refuse because they end have left the group.
func (p *Pool) give(ctx context.Context, job Job, to func(member mabeam.Ref) error) error {
	for {
		member, err := p.pick(job)
		if err != nil {
			return err
		}
		err = to(member)
		if !p.options.HandOutAgain || !hasLeft(err) || ctx.Err() != nil {
			return err
		}
	}
}

// pick picks a member for a job.
func (p *Pool) pick(job Job) (mabeam.Ref, error) {
	members := p.system.Group(p.group)
	if members.Len() == 0 {
		return mabeam.Ref{}, fmt.Errorf("hand out %q in group %q: %w", job.Action, p.group, ErrNoMember)
	}
	return p.options.Strategy(members, job), nil
}

// hasLeft reports whether an error is that of a member that ends, or has ended, and did not
// begin the job.
func hasLeft(err error) bool {
	var failed *mabeam.ActionError
	if !errors.As(err, &failed) || !failed.NotBegun {
		return false
	}
	return errors.Is(failed.Err, mabeam.ErrStopping) || errors.Is(failed.Err, mabeam.ErrKilled) || errors.Is(failed.Err, mabeam.ErrCrashed)
}

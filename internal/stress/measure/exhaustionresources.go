package measure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/stress/load"
)

// startStop tests whether agents can be started again.
func (x *exhaustionRun) startStop(ctx context.Context) error {
	id, err := x.startOne(ctx)
	if err != nil {
		return err
	}
	return x.system.StopAgent(ctx, id)
}

// startOne starts one more agent, and counts it.
func (x *exhaustionRun) startOne(ctx context.Context) (string, error) {
	id, err := x.calls.Start(ctx, x.spec())
	switch {
	case err == nil:
		x.started.Add(1)
	case errors.Is(err, mabeam.ErrLimitReached):
		x.refused.Add(1)
	}
	return id, err
}

// agents starts agents until the system refuses more.
func (x *exhaustionRun) agents(ctx context.Context) (exhaustedResource, error) {
	var extra []string
	for range 2 * spareAgents {
		id, err := x.startOne(ctx)
		if errors.Is(err, mabeam.ErrLimitReached) {
			x.checks.Expect(len(extra) == spareAgents, fmt.Sprintf("%d agents started with room for %d", len(extra), spareAgents))
			x.workOnce()
			return exhaustedResource{
				release:  func(ctx context.Context) error { return x.system.StopAgents(ctx, extra, runtime.GOMAXPROCS(0)) },
				isUsable: x.startStop,
			}, nil
		}
		if err != nil {
			return exhaustedResource{}, err
		}
		extra = append(extra, id)
	}
	return exhaustedResource{}, errors.Join(errUnlimited, x.system.StopAgents(ctx, extra, runtime.GOMAXPROCS(0)))
}

// memory allocates memory until the system refuses more agents.
func (x *exhaustionRun) memory(ctx context.Context) (exhaustedResource, error) {
	const piece = 1 << 20
	var held [][]byte
	for range 4 * spareMemory / piece {
		err := x.startStop(ctx)
		if errors.Is(err, mabeam.ErrLimitReached) {
			x.checkMemoryLimit(len(held) * piece)
			x.workOnce()
			return exhaustedResource{
				release: func(context.Context) error {
					clear(held)
					return nil
				},
				isUsable: x.startStop,
			}, nil
		}
		if err != nil {
			return exhaustedResource{}, err
		}
		held = append(held, make([]byte, piece))
		// The system reads the memory once a millisecond at most.
		if !load.Sleep(ctx, 2*time.Millisecond) {
			return exhaustedResource{}, ctx.Err()
		}
	}
	return exhaustedResource{}, errUnlimited
}

// memorySlack is by how much the heap may vary meanwhile.
const memorySlack = 6 << 20

// checkMemoryLimit checks the allocated memory when an agent was refused for lack of
// memory.
func (x *exhaustionRun) checkMemoryLimit(held int) {
	x.checks.Expect(held >= spareMemory-memorySlack, fmt.Sprintf("agents were refused with more than %d MiB of memory left", memorySlack>>20))
	x.checks.Expect(held <= spareMemory+memorySlack, fmt.Sprintf("agents were started more than %d MiB above the memory limit", memorySlack>>20))
}

// mailboxes blocks every agent and fills its mailbox with actions. Accepted actions count
// as acknowledged.
func (x *exhaustionRun) mailboxes(ctx context.Context) (exhaustedResource, error) {
	h := &blockedAction{release: make(chan struct{})}
	err := x.blockAll(ctx, h, x.ids)
	for i := 0; i < len(x.ids) && err == nil; i++ {
		err = x.fill(ctx, i)
	}
	if err != nil {
		close(h.release)
		return exhaustedResource{}, err
	}
	return exhaustedResource{
		release: func(context.Context) error {
			close(h.release)
			return nil
		},
		isUsable: func(context.Context) error { return nil }, // it is usable when all agents answer
	}, nil
}

// fill sends actions to an agent until it refuses more.
func (x *exhaustionRun) fill(ctx context.Context, i int) error {
	for range 4 * smallMailbox {
		limited, cancel := context.WithTimeout(ctx, time.Millisecond)
		err := x.system.Tell(limited, x.ids[i], "add", nil)
		cancel()
		switch {
		case err == nil:
			x.acknowledged[i].Add(1)
			x.done.Add(1) // in the end
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, mabeam.ErrTimeout):
			_, err := x.execute(ctx, x.ids[i], "get")
			x.checks.Expect(errors.Is(err, mabeam.ErrMailboxFull), "Execute to a full mailbox returns another error than ErrMailboxFull")
			return nil
		default:
			return err
		}
	}
	return errUnlimited
}

// blockAll blocks agents, and returns when they are blocked.
func (x *exhaustionRun) blockAll(ctx context.Context, h *blockedAction, ids []string) error {
	for _, id := range ids {
		if err := x.system.Tell(ctx, id, "hang", h); err != nil {
			return err
		}
		x.done.Add(1) // in the end
	}
	for began := time.Now(); h.entered.Load() < int64(len(ids)); {
		if time.Since(began) > recoveryTimeout {
			return fmt.Errorf("only %d of %d agents are blocked after %v", h.entered.Load(), len(ids), recoveryTimeout)
		}
		if !load.Sleep(ctx, recoveryInterval) {
			return ctx.Err()
		}
	}
	return nil
}

// goroutines blocks more agents than the system runs without delay, each on a goroutine.
func (x *exhaustionRun) goroutines(ctx context.Context) (exhaustedResource, error) {
	ids, err := startAgents(ctx, x.system, blockedAgents, x.spec)
	if err != nil {
		return exhaustedResource{}, err
	}
	x.started.Add(blockedAgents)
	h := &blockedAction{release: make(chan struct{})}
	if err := x.blockAll(ctx, h, ids); err != nil {
		close(h.release)
		return exhaustedResource{}, err
	}
	x.workOnce()
	return exhaustedResource{
		release: func(context.Context) error {
			close(h.release)
			return nil
		},
		isUsable: func(ctx context.Context) error {
			answers, err := x.system.Gather(ctx, ids, "get", nil)
			missing := answers.Missing()
			x.done.Add(int64(len(answers) - len(missing)))
			if err == nil && len(missing) > 0 {
				err = missing[0].Err
			}
			return err
		},
	}, nil
}

// files opens files until the process may open no more.
func (x *exhaustionRun) files(ctx context.Context) (exhaustedResource, error) {
	restore, err := limitFiles(spareFiles)
	if err != nil {
		return exhaustedResource{}, err
	}
	var open []*os.File
	for range 4 * spareFiles {
		f, err := os.Open(os.DevNull)
		if err == nil {
			open = append(open, f)
			continue
		}
		if !isTooManyFiles(err) || ctx.Err() != nil {
			return exhaustedResource{}, errors.Join(err, closeAll(open), restore())
		}
		x.workOnce()
		return exhaustedResource{
			release: func(context.Context) error { return errors.Join(closeAll(open), restore()) },
			isUsable: func(context.Context) error {
				f, err := os.Open(os.DevNull)
				if err != nil {
					return err
				}
				return f.Close()
			},
		}, nil
	}
	return exhaustedResource{}, errors.Join(errors.New("the limit on open files refused nothing"), closeAll(open), restore())
}

func closeAll(files []*os.File) (err error) {
	for _, f := range files {
		err = errors.Join(err, f.Close())
	}
	return err
}

package stress

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"mabeam-top/internal/stress/confine"
	"mabeam-top/internal/stress/scenario"
)

const (
	// keptStderr is how much of a child's standard error is kept, to be told
	// if it dies. The beginning says why; stack traces follow.
	maxStderr = 2 << 10
	// longestMessage bounds a line of a child's output, in bytes.
	maxMessage = 16 << 20
	// queuedLines is how many lines may wait to be written to a child that
	// does not read.
	queuedLines = 64
	// endsWithin is how long a process whose output has ended may take to end.
	exitTimeout = time.Second
)

// A process is a child process. Lines of JSON go in and out.
type process struct {
	cmd    *exec.Cmd
	cell   *confine.Cell
	stderr headBuffer
	// messages is closed when its output has ended, after readErr is set.
	messages chan message
	readErr  error
	wg       sync.WaitGroup

	mu     sync.Mutex
	lines  chan []byte // to be written to its input
	closed bool        // lines is
}

// startProcess starts a process, within limits.
func startProcess(argv []string, limits scenario.MemoryLimits) (_ *process, err error) {
	p := &process{
		cmd:      exec.Command(argv[0], argv[1:]...), // not CommandContext: it is told to stop before it is killed
		cell:     confine.New(confine.Limits(limits)),
		messages: make(chan message), lines: make(chan []byte, queuedLines),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.cell.Close())
		}
	}()
	p.cmd.Env = append(os.Environ(), p.cell.Environment()...)
	p.cmd.Stderr = &p.stderr
	p.cmd.WaitDelay = exitTimeout // whoever else holds its standard error
	setProcessGroup(p.cmd)
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.cell.Enter(p.cmd.Process.Pid)
	p.wg.Go(func() {
		// What a process does not take that died or hangs shows in its output.
		for line := range p.lines {
			_, _ = stdin.Write(line)
		}
		_ = stdin.Close()
	})
	p.wg.Go(func() { p.read(stdout) })
	return p, nil
}

// read reads the output to its end.
func (p *process) read(stdout io.Reader) {
	defer close(p.messages)
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, maxMessage)
	for lines.Scan() {
		m, err := unmarshalMessage(lines.Bytes())
		if err != nil {
			p.readErr = fmt.Errorf("it said %.60q, which is no message", lines.Text())
			p.kill() // what it says cannot be read, so it must not go on
			return
		}
		p.messages <- m
	}
	p.readErr = lines.Err()
}

// send queues a line for the process's input. It says false if the process does
// not take what was sent before, or is ending.
func (p *process) send(v any) bool {
	line, err := json.Marshal(v)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil || p.closed {
		return false
	}
	select {
	case p.lines <- append(line, '\n'):
		return true
	default:
		return false
	}
}

// closeInput has the process end by itself.
func (p *process) closeInput() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		close(p.lines)
	}
}

// kill ends the process at once, and all that it has started.
func (p *process) kill() { killGroup(p.cmd) }

// end has the process end, waits for that, and returns what is left of it all
// the same.
func (p *process) end() error {
	_, _ = p.await(childStopTimeout)
	return p.cell.Close()
}

// await waits for the end of the process, and of all that it has started, and
// says how it ended. If it has not ended within that time it is killed.
func (p *process) await(within time.Duration) (killed bool, err error) {
	var late atomic.Bool
	timer := time.AfterFunc(within, func() {
		late.Store(true)
		p.kill()
	})
	defer timer.Stop()
	p.closeInput()
	for range p.messages { // nobody wants them any more
	}
	err = p.cmd.Wait()
	p.wg.Wait()
	p.kill() // what it has started
	return late.Load(), err
}

// A Death is the end of a child process before its work was done.
type Death struct {
	// Cause says how it ended.
	Cause string
	// OutOfMemory says that it ended because it got no more memory.
	OutOfMemory bool
	// Signal says that a signal ended it that did not come from this program.
	Signal bool
	// PeakBytes is the most memory that it held; 0 if that is not known.
	PeakBytes int64
}

// Error implements error.
func (d *Death) Error() string { return "the process that it ran in died: " + d.Cause }

// died waits for the end of a process that has closed its output, and says how
// it ended. Why says why it was killed, if it was.
func (p *process) died(why string) *Death {
	late, err := p.await(exitTimeout)
	usage, stderr := p.cell.Usage(), strings.TrimSpace(p.stderr.String())
	status, _ := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	d := &Death{PeakBytes: usage.PeakBytes}
	if d.PeakBytes == 0 {
		d.PeakBytes = peakMemory(p.cmd.ProcessState)
	}
	var parts []string
	switch {
	case p.readErr != nil:
		parts = append(parts, p.readErr.Error())
	case why != "":
		parts = append(parts, "it was killed, because "+why)
	case late && !p.cmd.ProcessState.Exited():
		parts = append(parts, "it closed its output and went on")
	case err != nil:
		d.Signal = status.Signaled()
		d.OutOfMemory = usage.OutOfMemory || confine.TellsNoMemory(stderr)
		if d.OutOfMemory {
			parts = append(parts, "out of memory")
			stderr, _, _ = strings.Cut(stderr, "\n\n") // where it was at does not matter
		}
		parts = append(parts, err.Error())
	default:
		parts = append(parts, "it ended by itself")
	}
	if stderr != "" {
		parts = append(parts, "it said: "+stderr)
	}
	if err := p.cell.Close(); err != nil {
		parts = append(parts, err.Error())
	}
	d.Cause = strings.Join(parts, "; ")
	return d
}

// A head keeps the beginning of what is written to it.
type headBuffer struct{ kept []byte }

func (h *headBuffer) Write(p []byte) (int, error) {
	h.kept = append(h.kept, p[:min(len(p), maxStderr-len(h.kept))]...)
	return len(p), nil
}

func (h *headBuffer) String() string { return string(bytes.ToValidUTF8(h.kept, []byte("?"))) }

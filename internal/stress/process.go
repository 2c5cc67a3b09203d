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

	"mabeam-top/internal/stress/memlimit"
	"mabeam-top/internal/stress/scenario"
)

const (
	// maxStderr is how much of a child's standard error is kept to be reported if the
	// child dies. The beginning has the reason; stack traces follow.
	maxStderr = 2 << 10
	// maxMessage limits the length of a line of a child's output, in bytes.
	maxMessage = 16 << 20
	// queuedLines is how many lines can wait for a child that does not read.
	queuedLines = 64
	// exitTimeout is how long a process can take to exit after its output has ended.
	exitTimeout = time.Second
)

// A process is a child process whose input and output are lines of JSON.
type process struct {
	cmd         *exec.Cmd
	confinement *memlimit.Confinement
	stderr      headBuffer
	// messages is closed when its output has ended, after readErr is set.
	messages chan message
	readErr  error
	wg       sync.WaitGroup

	mu     sync.Mutex
	lines  chan []byte // that wait to be written to its input
	closed bool        // lines is
}

// startProcess starts a process, within limits.
func startProcess(argv []string, limits scenario.MemoryLimits) (_ *process, err error) {
	p := &process{
		cmd:         exec.Command(argv[0], argv[1:]...), // not CommandContext: it is asked to stop before it is killed
		confinement: memlimit.New(memlimit.Limits(limits)),
		messages:    make(chan message), lines: make(chan []byte, queuedLines),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.confinement.Close())
		}
	}()
	p.cmd.Env = append(os.Environ(), p.confinement.Env()...)
	p.cmd.Stderr = &p.stderr
	p.cmd.WaitDelay = exitTimeout // another process can hold its standard error
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
	p.confinement.Add(p.cmd.Process.Pid)
	p.wg.Go(func() {
		// If the process died or hangs, that shows in its output.
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
		var m message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			p.readErr = fmt.Errorf("it wrote %.60q, which is not a message", lines.Text())
			p.kill() // its results cannot be read
			return
		}
		p.messages <- m
	}
	p.readErr = lines.Err()
}

// send queues a line for the process's input. It returns false if the process does not
// read its input, or is ending.
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

// closeInput makes the process exit by itself.
func (p *process) closeInput() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		close(p.lines)
	}
}

// kill kills the process and everything that it has started.
func (p *process) kill() { killGroup(p.cmd) }

// end ends the process and waits for its exit. The error says what is left of it.
func (p *process) end() error {
	_, _ = p.await(childStopTimeout)
	return p.confinement.Close()
}

// await waits until the process has exited, with everything that it has started. It
// kills the process after the timeout. The error is that of the exit.
func (p *process) await(timeout time.Duration) (killed bool, err error) {
	var late atomic.Bool
	timer := time.AfterFunc(timeout, func() {
		late.Store(true)
		p.kill()
	})
	defer timer.Stop()
	p.closeInput()
	for range p.messages { // nobody needs them any more
	}
	err = p.cmd.Wait()
	p.wg.Wait()
	p.kill() // everything that it has started
	return late.Load(), err
}

// A Death is the unexpected end of a child process.
type Death struct {
	// Cause says how the process ended.
	Cause string
	// OutOfMemory says that it ran out of memory.
	OutOfMemory bool
	// Signal says that a signal killed it that this program did not send.
	Signal bool
	// PeakBytes is the most memory that it used; 0 if that is not known.
	PeakBytes int64
}

// Error implements error.
func (d *Death) Error() string { return "the child process died: " + d.Cause }

// died waits for the exit of a process that has closed its output, and returns how it
// ended. Killed says why it was killed, if it was.
func (p *process) died(killed string) *Death {
	late, err := p.await(exitTimeout)
	usage, stderr := p.confinement.Usage(), strings.TrimSpace(p.stderr.String())
	d := &Death{PeakBytes: usage.PeakBytes}
	if d.PeakBytes == 0 {
		d.PeakBytes = peakMemory(p.cmd.ProcessState)
	}
	var parts []string
	switch {
	case p.readErr != nil:
		parts = append(parts, p.readErr.Error())
	case killed != "":
		parts = append(parts, "it was killed because "+killed)
	case late && !p.cmd.ProcessState.Exited():
		parts = append(parts, "it closed its output and did not exit")
	case err != nil:
		status, _ := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
		d.Signal = status.Signaled()
		d.OutOfMemory = usage.OutOfMemory || memlimit.IsOutOfMemory(stderr)
		if d.OutOfMemory {
			parts = append(parts, "out of memory")
			stderr, _, _ = strings.Cut(stderr, "\n\n") // where it ran out does not matter
		}
		parts = append(parts, err.Error())
	default:
		parts = append(parts, "it exited by itself")
	}
	if stderr != "" {
		parts = append(parts, "its standard error: "+stderr)
	}
	if err := p.confinement.Close(); err != nil {
		parts = append(parts, err.Error())
	}
	d.Cause = strings.Join(parts, "; ")
	return d
}

// A headBuffer keeps the beginning of what is written to it.
type headBuffer struct{ kept []byte }

func (h *headBuffer) Write(p []byte) (int, error) {
	h.kept = append(h.kept, p[:min(len(p), maxStderr-len(h.kept))]...)
	return len(p), nil
}

func (h *headBuffer) String() string { return string(bytes.ToValidUTF8(h.kept, []byte("?"))) }

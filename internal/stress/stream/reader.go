package stream

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxLine bounds one line in bytes. The longest is run_finished, which holds
// the whole report: some 10 KB for each step, of which one scenario file alone may
// have 10,000. What this program has written must be below it.
const maxLine = 512 << 20

// ErrLineTooLong tells that a line of a stream is longer than any event.
var ErrLineTooLong = fmt.Errorf("longer than %d MiB", maxLine>>20)

// A Reader reads events from JSON lines.
type Reader struct {
	in      *bufio.Reader
	longest int
	number  int // of the line read last, from 1
	line    []byte
}

// NewReader returns a Reader of r.
func NewReader(r io.Reader) *Reader { return newReader(r, maxLine) }

func newReader(r io.Reader, longest int) *Reader {
	return &Reader{in: bufio.NewReaderSize(r, 64<<10), longest: longest}
}

// Read returns the next event. At the end of a stream that was written to its
// end it returns io.EOF; if the last line is cut short, because its writer
// died, an error that wraps io.ErrUnexpectedEOF. A line that is no event is an
// error too, which names the line's number; the next Read goes on after it.
// Events of a type that this version does not know are returned as they are.
func (r *Reader) Read() (Event, error) {
	for {
		err := r.readLine()
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			return Event{}, fmt.Errorf("line %d: %w", r.number, err)
		}
		if len(bytes.TrimSpace(r.line)) == 0 {
			if last {
				return Event{}, io.EOF
			}
			continue // an empty line is no harm
		}
		e, err := decode(r.line)
		if err != nil && last && cutShort(r.line) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return Event{}, fmt.Errorf("line %d: %w", r.number, err)
		}
		return e, nil
	}
}

// readLine reads the next line into r.line. The error is io.EOF if it has no
// line end, which only the last can lack.
func (r *Reader) readLine() error {
	r.number++
	r.line = r.line[:0]
	tooLong := false
	for {
		part, err := r.in.ReadSlice('\n')
		if tooLong = tooLong || len(r.line)+len(part) > r.longest; !tooLong {
			r.line = append(r.line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case tooLong && (err == nil || errors.Is(err, io.EOF)):
			return ErrLineTooLong
		default:
			return err
		}
	}
}

// decode reads an event and checks that it carries what its type promises.
func decode(line []byte) (Event, error) {
	var e Event
	if err := json.Unmarshal(line, &e); err != nil {
		return Event{}, fmt.Errorf("not an event: %w", err)
	}
	var missing bool
	switch e.Type {
	case "":
		return Event{}, errors.New("not an event: it has no type")
	case RunStarted:
		if missing = e.Run == nil; !missing && e.Run.Schema != Schema {
			return Event{}, fmt.Errorf("a stream of schema %q, but only %q is understood", e.Run.Schema, Schema)
		}
	case ScenarioStarted:
		missing = e.Scenario == nil
	case StepStarted:
		missing = e.Step == nil
	case RepetitionStarted:
		missing = e.Repetition == nil
	case FaultInjected:
		missing = e.Fault == nil
	case Logged:
		missing = e.Log == nil
	case StepFinished:
		missing = e.StepResult == nil
	case ScenarioFinished:
		missing = e.ScenarioResult == nil
	case RunFinished:
		missing = e.Report == nil
	}
	if missing {
		return Event{}, fmt.Errorf("not an event: a %s without what it tells", e.Type)
	}
	if e.Run != nil || e.Scenario != nil || e.ScenarioResult != nil || e.Report != nil {
		// They have times, of which some can be read that cannot be written:
		// what is passed on must be whole.
		if _, err := json.Marshal(e); err != nil {
			return Event{}, fmt.Errorf("not an event: %w", err)
		}
	}
	return e, nil
}

// cutShort says whether text is the beginning of a JSON value, but not all of
// it.
func cutShort(text []byte) bool {
	var whole json.RawMessage
	return errors.Is(json.NewDecoder(bytes.NewReader(text)).Decode(&whole), io.ErrUnexpectedEOF)
}

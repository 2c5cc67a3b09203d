package stream

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxLine is the maximum length of a line in bytes. The longest line is run_finished:
// its report has some 10 KB per step, and one scenario file may have 10,000 steps. Every
// line that this program writes must be shorter.
const maxLine = 512 << 20

// ErrLineTooLong means that a line is longer than any event.
var ErrLineTooLong = fmt.Errorf("longer than %d MiB", maxLine>>20)

// A Reader reads events from JSON lines.
type Reader struct {
	in      *bufio.Reader
	longest int
	number  int // of the current line, from 1
	line    []byte
}

// NewReader returns a Reader of r.
func NewReader(r io.Reader) *Reader { return newReader(r, maxLine) }

func newReader(r io.Reader, longest int) *Reader {
	return &Reader{in: bufio.NewReaderSize(r, 64<<10), longest: longest}
}

// Read returns the next event, or io.EOF at the end of the stream. If the last line is
// truncated, because its writer died, the error wraps io.ErrUnexpectedEOF. A line that is
// not an event is an error with the line number; the next Read continues after it. Events
// of unknown types are returned unchanged.
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
			continue // an empty line is harmless
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

// readLine reads the next line into r.line. The error is io.EOF if the line does not end
// in a newline, as the last line may.
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

// decode reads an event and checks that it has the payload of its type.
func decode(line []byte) (Event, error) {
	var e Event
	if err := json.Unmarshal(line, &e); err != nil {
		return Event{}, fmt.Errorf("not an event: %w", err)
	}
	var missing bool
	switch e.Type {
	case "":
		return Event{}, errors.New("not an event: no type")
	case RunStarted:
		if missing = e.Run == nil; !missing && e.Run.Schema != Schema {
			return Event{}, fmt.Errorf("unsupported schema %q: this version reads %q", e.Run.Schema, Schema)
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
		return Event{}, fmt.Errorf("not an event: %s without its payload", e.Type)
	}
	if e.Run != nil || e.Scenario != nil || e.ScenarioResult != nil || e.Report != nil {
		// Some times can be decoded and not encoded. An event that is passed on must be
		// encodable.
		if _, err := json.Marshal(e); err != nil {
			return Event{}, fmt.Errorf("not an event: %w", err)
		}
	}
	return e, nil
}

// cutShort reports whether text is an incomplete JSON value.
func cutShort(text []byte) bool {
	var whole json.RawMessage
	return errors.Is(json.NewDecoder(bytes.NewReader(text)).Decode(&whole), io.ErrUnexpectedEOF)
}

package session

import (
	"io"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

// A Config is what the UI shows, and how.
type Config struct {
	// Scenarios are the entries of the menu.
	Scenarios []Scenario
	Runner    Runner
	// Faults can be injected while a load runs. CheckFault returns what is wrong
	// with one, as scenario files write it; nil accepts any.
	Faults     []FaultKind
	CheckFault func(text string) error
	// Store keeps past runs; nil for none.
	Store *report.Store
	// Compare compares a report with an earlier one; nil if that is not possible.
	Compare Compare
	// Start names scenarios to run at once; none shows the menu.
	Start []string
	// Replay is a recording to replay at once, and ReplayName its name; nil for
	// none.
	Replay     *stream.Recording
	ReplayName string
	// JobControl lets ctrl+z suspend the program.
	JobControl bool
	// FPS is the number of frames per second of the live screen; 0 means 4.
	FPS int
	// ASCII draws nothing but ASCII, for terminals without UTF-8.
	ASCII bool
	// Color is auto, always or never. Empty means auto, which honours NO_COLOR.
	Color string
	// Theme is one of theme.Names; empty means the first.
	Theme string
	// ScreenReader selects the line mode: typed commands, and messages in words
	// and numbers.
	ScreenReader bool
	// Input and Output are the terminal; nil means standard input and output.
	Input  io.Reader
	Output io.Writer
}

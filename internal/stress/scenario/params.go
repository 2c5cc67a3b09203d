package scenario

import "time"

// A Kind is the type of a parameter, and its notation in a scenario file.
type Kind int

// The kinds, with the Go type that Params holds for each.
const (
	Int      Kind = iota // 1000 (int)
	Float                // 1.5 (float64)
	Ratio                // 20% or 0.2 (float64)
	Duration             // 200ms (time.Duration)
	Rate                 // 10000/s (float64, per second)
	Size                 // 256MB (int64, bytes; MB is 1e6, MiB is 2^20)
	Bool                 // true (bool)
	Text                 // demo (string); one of Choices if there are any
	Map                  // {amount: 2} (map[string]any): passed on as it is
	List                 // [{agents: 1}, …] ([]Params): each with Fields
	Table                // {ping: 70, …} (Params): with Fields
	Stages               // [{rate: 1000/s, for: 2s, ramp: true}] ([]Stage)
	Ints                 // [10, 100, 1000] ([]int): Min and Max bound each
	Texts                // [agents, files] ([]string): each one of Choices
)

// A Param describes one parameter of a measurement.
type Param struct {
	Name string
	Kind Kind
	// Default is a value of the kind's Go type. A nil Default marks a
	// parameter that may be left out altogether (Params.Has tells), or given
	// as none; it then does not appear in the report.
	Default any
	// Min and Max bound a number, a duration in seconds, a rate per second or
	// a size in bytes; both 0 means unbounded, a Max below Min that there is
	// no upper bound. Durations, rates and sizes are never negative.
	Min, Max float64
	Choices  []string
	// Fields describe the entries of a List or Table. What a file says
	// replaces the whole Default of the List or Table; a field that it leaves
	// out then has the field's own Default.
	Fields []Param
	// Doc says in one sentence what it means.
	Doc string
}

// A Stage is one part of a staged load.
type Stage struct {
	// Rate is in operations per second.
	Rate float64
	For  time.Duration
	// Ramp says that the rate grows or falls evenly from that of the stage
	// before (from 0 for the first).
	Ramp bool
}

// Params holds the values of a measurement's parameters by name, each of its
// kind's Go type. The getters panic on a name or kind that the measurement did
// not declare: that is a fault of the program, not of its user.
type Params map[string]any

// Has says whether an optional parameter was given.
func (p Params) Has(name string) bool { return p[name] != nil }

// Int returns an Int parameter.
func (p Params) Int(name string) int { return p[name].(int) }

// Float returns a Float, Ratio or Rate parameter.
func (p Params) Float(name string) float64 { return p[name].(float64) }

// Duration returns a Duration parameter.
func (p Params) Duration(name string) time.Duration { return p[name].(time.Duration) }

// Size returns a Size parameter, in bytes.
func (p Params) Size(name string) int64 { return p[name].(int64) }

// Bool returns a Bool parameter.
func (p Params) Bool(name string) bool { return p[name].(bool) }

// Text returns a Text parameter.
func (p Params) Text(name string) string { return p[name].(string) }

// Map returns a Map parameter; nil if it was left out.
func (p Params) Map(name string) map[string]any {
	m, _ := p[name].(map[string]any)
	return m
}

// List returns a List parameter.
func (p Params) List(name string) []Params { return p[name].([]Params) }

// Table returns a Table parameter.
func (p Params) Table(name string) Params { return p[name].(Params) }

// Stages returns a Stages parameter; nil if it was left out.
func (p Params) Stages(name string) []Stage {
	s, _ := p[name].([]Stage)
	return s
}

// Ints returns an Ints parameter; nil if it was left out.
func (p Params) Ints(name string) []int {
	n, _ := p[name].([]int)
	return n
}

// Texts returns a Texts parameter; nil if it was left out.
func (p Params) Texts(name string) []string {
	t, _ := p[name].([]string)
	return t
}

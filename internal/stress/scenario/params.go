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
	Map                  // {amount: 2} (map[string]any), with any content
	List                 // [{agents: 1}, …] ([]Params): each with Fields
	Table                // {ping: 70, …} (Params): with Fields
	Stages               // [{rate: 1000/s, for: 2s, ramp: true}] ([]Stage)
	Ints                 // [10, 100, 1000] ([]int): Min and Max limit each
	Texts                // [agents, files] ([]string): each one of Choices
)

// A Param describes one parameter of a measurement.
type Param struct {
	Name string
	Kind Kind
	// Default is a value of the kind's Go type. A parameter with a nil Default is
	// optional: it can be missing, or none, and is then not in the report. Params.Has
	// reports whether it is given.
	Default any
	// Min and Max limit a number, a duration in seconds, a rate per second or a size
	// in bytes. If both are 0 there is no limit, and if Max is below Min no upper one.
	// Durations, rates and sizes are never negative.
	Min, Max float64
	Choices  []string
	// Fields describe the entries of a List or Table. A value in a file replaces the
	// whole Default of the List or Table; a missing field then has its own Default.
	Fields []Param
	// Doc says in one sentence what it means.
	Doc string
}

// A Stage is one part of an open load whose rate changes.
type Stage struct {
	// Rate is in operations per second.
	Rate float64       `json:"rate"`
	For  time.Duration `json:"for"`
	// Ramp says that the rate changes evenly from that of the previous stage (from 0 in
	// the first).
	Ramp bool `json:"ramp"`
}

// Params has the values of a measurement's parameters by name, each of the Go type of its
// kind. The getters panic on a name or kind that the measurement does not declare: that is
// a bug of the measurement.
type Params map[string]any

// Has reports whether an optional parameter is given.
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

// Map returns a Map parameter; nil if it is not given.
func (p Params) Map(name string) map[string]any {
	m, _ := p[name].(map[string]any)
	return m
}

// List returns a List parameter.
func (p Params) List(name string) []Params { return p[name].([]Params) }

// Table returns a Table parameter.
func (p Params) Table(name string) Params { return p[name].(Params) }

// Stages returns a Stages parameter; nil if it is not given.
func (p Params) Stages(name string) []Stage {
	s, _ := p[name].([]Stage)
	return s
}

// Ints returns an Ints parameter; nil if it is not given.
func (p Params) Ints(name string) []int {
	n, _ := p[name].([]int)
	return n
}

// Texts returns a Texts parameter; nil if it is not given.
func (p Params) Texts(name string) []string {
	t, _ := p[name].([]string)
	return t
}

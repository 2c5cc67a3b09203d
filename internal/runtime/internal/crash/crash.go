// Package crash lets package faults reach the components of a system. The kernel has no
// exported method for that, because nobody but tests and stress scenarios needs one.
package crash

// A Func makes a component crash and begin anew, and reports whether it had anything to lose.
// It calls restarted once for each component that has begun anew, with the supervisor's id
// if it is one, perhaps later and on another goroutine. restarted does not block.
type Func func(restarted func(supervisorID string)) (crashed bool)

// A Component is a named component of a system.
type Component struct {
	Name string
	// Crash is nil if a crash costs the component nothing.
	Crash Func
}

// Components lists the components of a *mabeam.System. Package mabeam sets it when it is
// initialized.
var Components func(system any) []Component

//go:build !linux && !darwin

package ui

// jobControl does nothing: this system has no job control.
type jobControl struct{}

func newJobControl() *jobControl { return nil }

func (*jobControl) watch(func()) (end func()) { return func() {} }

func (*jobControl) allowed() error { return nil }

func (*jobControl) stop(bool) {}

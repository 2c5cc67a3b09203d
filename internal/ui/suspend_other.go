//go:build !linux && !darwin

package ui

// stops is for systems on which programs can be stopped. This is none.
type stops struct{}

func newStops() *stops { return nil }

func (*stops) watch(func()) (end func()) { return func() {} }

func (*stops) allowed() error { return nil }

func (*stops) stop(bool) {}

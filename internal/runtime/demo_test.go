package mabeam

// DemoSpec is agents.Demo. The tests in this package cannot import package agents, which
// imports this one; those in mabeam_test can, and set it.
var DemoSpec func() Spec

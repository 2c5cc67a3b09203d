// Package guard limits what a system takes on: a Limiter keeps operations to
// their rates, a Breaker keeps calls from a target that fails, and a MemoryLimit
// refuses what needs more memory than there is.
//
// All of them decide before the work begins. What they have let in is never cut
// short. A refusal is an error that wraps ErrRateLimited, ErrCircuitOpen or
// ErrLimitReached and says what was exceeded.
//
// The package knows nothing of agents. The runtime uses it for what its options
// limit, and hands out its Limiter and Breaker for the operations and targets of
// a program's own.
package guard

import "errors"

// The errors of the package. They arrive wrapped: test for them with errors.Is.
var (
	// ErrRateLimited means that an operation exceeds its rate.
	ErrRateLimited = errors.New("rate limited")
	// ErrCircuitOpen means that a target has failed too often of late.
	ErrCircuitOpen = errors.New("circuit is open")
	// ErrLimitReached means that a limit on a resource leaves no room.
	ErrLimitReached = errors.New("limit reached")
)

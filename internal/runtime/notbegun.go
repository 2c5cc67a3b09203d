package mabeam

// A notBegun is an error of an action that its agent has not begun, and never will. It is
// taken off where an *ActionError is made of it.
type notBegun struct{ error }

func (e notBegun) Unwrap() error { return e.error }

// newActionError is the error of an action that failed for a reason.
func newActionError(id, action string, err error) *ActionError {
	reason, is := err.(notBegun) //nolint:errorlint // one that is wrapped is the action's own
	if is {
		err = reason.error
	}
	return &ActionError{Agent: id, Action: action, Err: err, NotBegun: is}
}

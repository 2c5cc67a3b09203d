package mabeam

// suspend makes the agent wait with its work until it is resumed, once it has finished
// what it is at.
func (a *Agent) suspend() error {
	for {
		s := a.state.load()
		next := suspended
		switch s {
		case idle:
		case scheduled, running:
			next = s | suspendWanted
		default:
			from := s.lifecycle()
			if s.wants(suspendWanted) && from != Terminating {
				from = Suspended
			}
			return &TransitionError{Agent: a.ID(), From: from, To: Suspended}
		}
		if a.state.move(s, next) {
			return nil
		}
	}
}

// resume makes a suspended agent ready, or takes the wish back that it be.
func (a *Agent) resume() error {
	for {
		s := a.state.load()
		next := idle
		switch s {
		case suspended:
		case scheduled | suspendWanted, running | suspendWanted:
			next = s &^ suspendWanted
		default:
			return &TransitionError{Agent: a.ID(), From: s.lifecycle(), To: Ready}
		}
		if a.state.move(s, next) {
			break
		}
	}
	if !a.mailbox.empty() {
		a.wake()
	}
	return nil
}

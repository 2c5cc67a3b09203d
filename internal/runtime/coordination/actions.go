package coordination

import "errors"

// The actions that coordinations ask for. An agent that is to take part carries them out
// like any other action.
const (
	// ActionArrive asks an agent to come to a barrier. It arrives by answering,
	// whatever the answer is.
	ActionArrive = "arrive"
	// ActionRelease lets an agent that has arrived go on: all are there.
	ActionRelease = "release"
	// ActionBreak lets an agent that has arrived go on although not all came. Nobody
	// waits for its answer.
	ActionBreak = "break"
	// ActionVote asks for a ballot; nil is an abstention.
	ActionVote = "vote"
	// ActionBid asks for a bid, a number; nil is no bid.
	ActionBid = "bid"
	// ActionStand asks a candidate for its priority, a number; nil means that the
	// agent does not want to lead.
	ActionStand = "stand"
)

// Why a coordination has no use for an answer. They arrive wrapped in a *mabeam.ActionError:
// test for them with errors.Is.
var (
	// ErrDeclined is the reason of an agent that answered nil where a ballot, a bid or a
	// priority was asked for. An action may return it as its error, too.
	ErrDeclined = errors.New("declined")
	// ErrBadAnswer is the reason of an agent whose answer cannot be used.
	ErrBadAnswer = errors.New("bad answer")
)

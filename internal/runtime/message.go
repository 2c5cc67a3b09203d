package mabeam

import (
	"context"
	"time"

	"mabeam-top/internal/runtime/internal/propagate"
)

// messageTimeout is how long a message waits for its reply if it does not say.
const messageTimeout = 5 * time.Second

// A Message is a request to one agent, or the reply to a request. The agent carries it out as the
// action Type with Data as its parameters; MessageOf returns the whole message.
type Message struct {
	// ID is set by the system.
	ID string
	// Type is the requested action; a reply has that of its request.
	Type string
	// Source and Target are the ids of the sender and of the receiver.
	Source, Target string
	// Data is the action's parameters, or its result in a reply.
	Data any
	// ReplyTo is the id of the agent that gets the reply to Send; empty means Source.
	ReplyTo string
	// CorrelationID connects messages: a reply has that of its request. In a request, empty
	// means its ID.
	CorrelationID string
	// Timeout is how long to wait for the reply; 0 means 5 s.
	Timeout  time.Duration
	Metadata map[string]any
	// Context has values for the callbacks that handle a message of Send and its reply, as
	// far as Options.Propagate picks them; it may be nil. Its end has no effect.
	Context context.Context
	// Timestamp is when it was sent; the system sets it if it is zero.
	Timestamp time.Time
}

// SignalMessageReply is the type of the signal with the reply to a message of Send. Its data is a
// Reply.
const SignalMessageReply = "message_reply"

// A Reply is the result of a message that was sent with Send.
type Reply struct {
	Message
	// Err is why there is no result: an *ActionError.
	Err error
}

// Request sends a message and returns the reply, or an *ActionError that says why there is none, at
// the latest after the message's timeout. A later reply is dropped and counted.
func (s *System) Request(ctx context.Context, m Message) (Message, error) {
	s.address(&m)
	ctx, cancel := context.WithTimeout(withMessage(ctx, &m), m.Timeout)
	defer cancel()
	result, err := s.Execute(ctx, m.Target, m.Type, m.Data)
	if err != nil {
		return Message{}, err
	}
	return m.reply(result), nil
}

// Send sends a message and does not wait. The agent ReplyTo gets the reply, or the error that there
// is none within the message's timeout, as a signal of type SignalMessageReply. An *ActionError
// means that the message was not accepted, so that no reply will come. A reply is dropped and
// counted if ReplyTo does not exist or has no room, or if it comes too late.
func (s *System) Send(m Message) error {
	s.address(&m)
	m.Context = s.propagate.Pick(m.Context)
	ctx, cancel := context.WithTimeout(withMessage(propagate.WithValues(s.ctx, m.Context), &m), m.Timeout)
	return s.ask(ctx, cancel, m.Target, m.Type, m.Data, func(result any, err error) bool { s.deliverReply(&m, result, err); return true })
}

// tellReply tells the reply to a message of Send.
func (s *System) deliverReply(m *Message, result any, err error) {
	reply := Reply{Message: m.reply(result)}
	if err != nil {
		reply.Err = newActionError(m.Target, m.Type, err)
	}
	to := s.agents.Get(m.ReplyTo)
	if to == nil {
		s.lostReply(m, DeadUnknown)
		return
	}
	signal := Signal{Type: SignalMessageReply, Source: m.Target, Target: m.ReplyTo, Data: reply, Context: m.Context}
	signal.stamp()
	if err := to.signal(&signal); err != nil {
		s.lostReply(m, deadReason(err))
	}
}

// lostReply counts a reply that nobody gets.
func (s *System) lostReply(m *Message, reason DeadLetterReason) {
	s.repliesLate.Add(1)
	s.deadLetter(DeadLetter{Kind: "reply", Name: m.Type, From: m.Target, To: m.ReplyTo, Reason: reason})
}

// address fills in the fields that the sender may leave empty.
func (s *System) address(m *Message) {
	m.ID = messageIDs.Next()
	if m.CorrelationID == "" {
		m.CorrelationID = m.ID
	}
	if m.ReplyTo == "" {
		m.ReplyTo = m.Source
	}
	if m.Timeout <= 0 {
		m.Timeout = messageTimeout
	}
	if m.Timestamp.IsZero() {
		m.Timestamp = time.Now()
	}
}

// reply is the reply to a message.
func (m *Message) reply(result any) Message {
	return Message{
		ID: messageIDs.Next(), Type: m.Type, Source: m.Target, Target: m.ReplyTo,
		Data: result, CorrelationID: m.CorrelationID, Timestamp: time.Now(),
	}
}

type messageKey struct{}

// Local implements propagate.LocalKey.
func (messageKey) Local() {}

func withMessage(ctx context.Context, m *Message) context.Context {
	return context.WithValue(ctx, messageKey{}, m)
}

// MessageOf returns the message that an action's context belongs to; false if the action was not
// requested by a message.
func MessageOf(ctx context.Context) (Message, bool) {
	m, ok := ctx.Value(messageKey{}).(*Message)
	if !ok {
		return Message{}, false
	}
	return *m, true
}

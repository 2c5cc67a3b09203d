package mabeam

// An Answer is what one agent said in a coordination.
type Answer struct {
	// Agent is the id of the agent that was asked.
	Agent string
	// Value is the result of the action; nil if there is none.
	Value any
	// Err is why there is no answer, or none that can be used: an *ActionError, as
	// Execute would return it. It is nil if the agent answered.
	Err error
}

// Answers are those of a coordination, one for each agent, in the order in which
// the agents were named.
type Answers []Answer

// Missing returns the agents that did not answer, or whose answer cannot be used, each
// with the reason.
func (a Answers) Missing() Answers {
	var missing Answers
	for _, answer := range a {
		if answer.Err != nil {
			missing = append(missing, answer)
		}
	}
	return missing
}

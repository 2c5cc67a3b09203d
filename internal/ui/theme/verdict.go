package theme

// The states of a check that has no verdict yet.
const (
	Running = "running"
	Waiting = "waiting"
)

// Undecided is the status of a metric whose samples do not settle whether it
// passed.
const Undecided = "UNDECIDED"

// Verdict styles a verdict or a status, given in capitals.
func (t *Theme) Verdict(word string) string {
	switch word {
	case "PASS", "EXCEED":
		return t.Pass.Render(word)
	case "WARN", "INCONCLUSIVE", "INTERRUPTED", Undecided:
		return t.Warn.Render(word)
	case "FAIL", "ERROR":
		return t.Fail.Render(word)
	case Running:
		return t.Accent.Render(word)
	default:
		return t.Muted.Render(word)
	}
}

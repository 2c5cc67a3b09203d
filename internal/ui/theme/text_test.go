package theme

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"
)

func TestTextWidth(t *testing.T) {
	part := rapid.OneOf(
		rapid.String(),
		rapid.SampledFrom([]string{
			"plain", "╭─┤╌┊╯", "▁▇█", "⠁⣿", "●▲▼◆", "…", "µ", "宽字符", "é", "e\u0301", "│\u0301", "▶\ufe0f", "👩‍🚀", "\x1b[38;2;63;208;182m", "\x1b[0m", "\x1b[", "\x1b", "\x1b[2J",
			"\t", "\n", "\x7f", "\xe2", "\xe2\x94", "\xff", "\x1b]8;;x\x1b\\",
		}),
	)
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOfN(part, 0, 6).Draw(t, "parts"), "")
		if got, want := Width(s), ansi.StringWidth(s); got != want {
			t.Fatalf("%q takes %d, want %d", s, got, want)
		}
	})
}

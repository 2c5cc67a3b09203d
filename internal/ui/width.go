package ui

import (
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// textWidth is how many columns a text takes, as ansi.StringWidth tells. A frame
// asks for thousands, nearly all of plain characters, frames and braille with
// colours between them: those are counted here, at a fraction of the cost.
func textWidth(s string) int {
	width := 0
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c >= 0x20 && c < 0x7f:
			i++
			width++
		case c == 0x1b && i+1 < len(s) && s[i+1] == '[':
			end := i + 2
			for end < len(s) && (s[end] >= '0' && s[end] <= '9' || s[end] == ';') {
				end++
			}
			if end == len(s) || s[end] != 'm' {
				return ansi.StringWidth(s)
			}
			i = end + 1
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			if !narrowRune(r) {
				return ansi.StringWidth(s)
			}
			i += size
			width++
		}
	}
	return width
}

// narrowRune says whether a character is one of frames, blocks, simple shapes
// and braille, each of which takes a column and joins with no other.
func narrowRune(r rune) bool { return r >= 0x2500 && r <= 0x25cf || r >= 0x2800 && r <= 0x28ff }

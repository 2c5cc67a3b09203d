// Package theme defines the appearance of the UI: colours, characters, and the
// formats of text and numbers. No other package names a colour.
package theme

import (
	"io"
	"strings"

	"github.com/charmbracelet/bubbles/help"
	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"
)

// Plain returns a theme without colours.
func Plain(ascii bool) *Theme { return &All(io.Discard, "never", ascii)[0] }

// MaxLines is the number of lines that one plot can distinguish.
const MaxLines = 4

// A Style is a lipgloss style reduced to the escape sequences before and after
// the text. A chart has thousands of cells, and a full style is slow to render.
type Style struct{ open, close string }

// Render returns text in the style.
func (s Style) Render(text string) string {
	if text == "" || s.open == "" {
		return text
	}
	return s.open + text + s.close
}

// A Theme is the styles and characters of one colour scheme.
type Theme struct {
	glyphs
	Name string
	// Colorless is true if the terminal has no colours, or the user wants none.
	Colorless bool

	Strong, Muted, Faint, Accent, Badge, Tab Style
	Pass, Warn, Fail                         Style
	Limit, Cursor, Spark                     Style
	// Caret is the cursor of a text field.
	Caret Style
	// Lines and Fills are the styles of the series of a chart, by their index.
	Lines, Fills [MaxLines]Style
	// The styles of key hints are lipgloss styles, because the help bubble
	// renders them.
	HelpKey, HelpText, helpFaint lipgloss.Style
}

// All returns every theme for an output, in the order of Names. Color is auto,
// always or never.
func All(out io.Writer, color string, ascii bool) []Theme {
	r := lipgloss.DefaultRenderer()
	if out != nil {
		r = lipgloss.NewRenderer(out)
	}
	dark := r.HasDarkBackground()
	profile := r.Output().EnvColorProfile()
	switch {
	case color == "never":
		profile = termenv.Ascii
	case color == "always" && profile == termenv.Ascii:
		profile = termenv.TrueColor
	}
	all := make([]Theme, len(schemes))
	for i, s := range schemes {
		all[i] = newTheme(profile, s, dark, ascii)
	}
	return all
}

func newTheme(profile termenv.Profile, scheme scheme, dark, ascii bool) Theme {
	r := lipgloss.NewRenderer(io.Discard)
	r.SetColorProfile(profile)
	p := scheme.light
	if dark {
		p = scheme.dark
	}
	fg := func(c string) lipgloss.Style { return r.NewStyle().Foreground(lipgloss.Color(c)) }
	t := Theme{
		glyphs: unicodeGlyphs, Name: scheme.name, Colorless: profile == termenv.Ascii,
		Strong: newStyle(r.NewStyle().Bold(true)),
		Muted:  newStyle(fg(p.muted)),
		Faint:  newStyle(fg(p.faint)),
		Accent: newStyle(fg(p.accent)),
		Badge:  newStyle(fg(p.on).Background(lipgloss.Color(p.warn)).Bold(true)),
		Tab:    newStyle(fg(p.on).Background(lipgloss.Color(p.accent)).Bold(true)),
		Pass:   newStyle(fg(p.accent)),
		Warn:   newStyle(fg(p.warn).Bold(true)),
		Fail:   newStyle(fg(p.fail).Bold(true)),
		Limit:  newStyle(fg(p.limit)),
		Spark:  newStyle(fg(p.spark)),
		Cursor: newStyle(fg(p.accent).Bold(true)),
		Caret:  newStyle(r.NewStyle().Reverse(true)),

		HelpKey: fg(p.accent), HelpText: fg(p.muted), helpFaint: fg(p.faint),
	}
	if ascii {
		t.glyphs = asciiGlyphs
	}
	for i := range MaxLines {
		t.Lines[i] = newStyle(fg(p.lines[i]))
		t.Fills[i] = newStyle(fg(p.fills[i]))
	}
	return t
}

// HelpStyles returns the styles of key hints.
func (t *Theme) HelpStyles() help.Styles {
	return help.Styles{
		Ellipsis: t.helpFaint, ShortKey: t.HelpKey, ShortDesc: t.HelpText, ShortSeparator: t.helpFaint,
	}
}

func newStyle(s lipgloss.Style) Style {
	const probe = "x"
	open, shut, _ := strings.Cut(s.Render(probe), probe)
	return Style{open, shut}
}

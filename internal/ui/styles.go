package ui

import (
	"io"
	"strings"

	"github.com/charmbracelet/bubbles/help"
	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"
)

// maxLines is how many lines of a plot can be told apart.
const maxLines = 4

// paint is a style reduced to what it writes before and after a text, because
// a chart has thousands of cells and a full style is slow to apply.
type paint struct{ open, close string }

func (p paint) on(s string) string {
	if s == "" || p.open == "" {
		return s
	}
	return p.open + s + p.close
}

// styles are all looks that the screens have. Nothing else names a colour.
type styles struct {
	glyphs
	// theme is the name of the theme.
	theme string
	// colorless says that nothing is told apart by colour, not even shades.
	colorless bool

	strong, muted, faint, accent, badge, tab paint
	pass, warn, fail                         paint
	limit, cursor, spark                     paint
	// caret is where one writes.
	caret paint
	// lines and fills are for the series of a chart, by their number.
	lines, fills [maxLines]paint
	// The looks of key hints, which a bubble draws.
	helpKey, helpText, helpFaint lipgloss.Style
}

// glyphs are the characters that are drawn with.
type glyphs struct {
	ascii                                          bool
	topLeft, topRight, bottomLeft, bottomRight     string
	horizontal, vertical                           string
	tick, limitDash, timeDash, topTick             rune
	repetition, fault, hand, userMark              rune
	ellipsis, dot, cursorMark, marked, chevron     string
	caretMark, paused, times, underMark            string
	axisMark, limitMark                            rune
	barFull, barEmpty, barMiddle, above, below, up string
	sparks                                         []rune
	legend                                         [maxLines]string
}

var unicodeGlyphs = glyphs{
	topLeft: "╭", topRight: "╮", bottomLeft: "╰", bottomRight: "╯",
	horizontal: "─", vertical: "│",
	tick: '┤', limitDash: '╌', timeDash: '┊', topTick: '╷',
	repetition: '┴', fault: '▲', hand: '◆', userMark: '▼',
	ellipsis: "…", dot: "●", cursorMark: "▸", marked: "◆", chevron: "›", caretMark: "▏", paused: "‖", times: "×", underMark: "▲",
	axisMark: '┴', limitMark: '┿',
	barFull: "━", barEmpty: "─", barMiddle: "┼", above: "↑", below: "↓", up: "↕",
	sparks: []rune("▁▂▃▄▅▆▇█"),
	legend: [...]string{"━", "╍", "┅", "┈"},
}

var asciiGlyphs = glyphs{
	ascii:   true,
	topLeft: "+", topRight: "+", bottomLeft: "+", bottomRight: "+",
	horizontal: "-", vertical: "|",
	tick: '|', limitDash: '-', timeDash: ':', topTick: '\'',
	repetition: '|', fault: '^', hand: '+', userMark: 'v',
	ellipsis: "~", dot: "*", cursorMark: ">", marked: "x", chevron: ">", caretMark: "_", paused: "=", times: "x", underMark: "^",
	axisMark: '+', limitMark: '|',
	barFull: "#", barEmpty: "-", barMiddle: "|", above: "^", below: "v", up: "|",
	sparks: []rune("_.-=+*%#"),
	legend: [...]string{"*", "+", "o", "x"},
}

// newLooks returns the looks for an output, one for each theme, in the order
// of Themes. Color is auto, always or never.
func newLooks(out io.Writer, color string, ascii bool) []styles {
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
	looks := make([]styles, len(themes))
	for i, t := range themes {
		looks[i] = newStyles(profile, t, dark, ascii)
	}
	return looks
}

func newStyles(profile termenv.Profile, t theme, dark, ascii bool) styles {
	r := lipgloss.NewRenderer(io.Discard)
	r.SetColorProfile(profile)
	p := t.light
	if dark {
		p = t.dark
	}
	fg := func(c string) lipgloss.Style { return r.NewStyle().Foreground(lipgloss.Color(c)) }
	s := styles{
		glyphs: unicodeGlyphs, theme: t.name, colorless: profile == termenv.Ascii,
		strong: newPaint(r.NewStyle().Bold(true)),
		muted:  newPaint(fg(p.muted)),
		faint:  newPaint(fg(p.faint)),
		accent: newPaint(fg(p.accent)),
		badge:  newPaint(fg(p.on).Background(lipgloss.Color(p.warn)).Bold(true)),
		tab:    newPaint(fg(p.on).Background(lipgloss.Color(p.accent)).Bold(true)),
		pass:   newPaint(fg(p.accent)),
		warn:   newPaint(fg(p.warn).Bold(true)),
		fail:   newPaint(fg(p.fail).Bold(true)),
		limit:  newPaint(fg(p.limit)),
		spark:  newPaint(fg(p.spark)),
		cursor: newPaint(fg(p.accent).Bold(true)),
		caret:  newPaint(r.NewStyle().Reverse(true)),

		helpKey: fg(p.accent), helpText: fg(p.muted), helpFaint: fg(p.faint),
	}
	if ascii {
		s.glyphs = asciiGlyphs
	}
	for i := range maxLines {
		s.lines[i] = newPaint(fg(p.lines[i]))
		s.fills[i] = newPaint(fg(p.fills[i]))
	}
	return s
}

// notice paints what is told in the status line.
func (s *styles) notice(n notice) string {
	if n.bad {
		return s.fail.on("! " + clean(n.text))
	}
	return s.accent.on(clean(n.text))
}

// help returns the looks of key hints.
func (s *styles) help() help.Styles {
	return help.Styles{
		Ellipsis: s.helpFaint, ShortKey: s.helpKey, ShortDesc: s.helpText, ShortSeparator: s.helpFaint,
	}
}

func newPaint(s lipgloss.Style) paint {
	const probe = "x"
	open, shut, _ := strings.Cut(s.Render(probe), probe)
	return paint{open, shut}
}

// NeedsASCII says whether an environment belongs to a terminal that cannot
// show braille or frames: its locale is not UTF-8, or it is a console without
// such characters. An environment without any locale is taken for UTF-8, as
// containers have none and are looked at from terminals that have.
func NeedsASCII(getenv func(string) string) bool {
	switch getenv("TERM") {
	case "linux", "dumb", "vt100", "vt220":
		return true
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := strings.ToLower(getenv(name)); locale != "" {
			return !strings.Contains(locale, "utf-8") && !strings.Contains(locale, "utf8")
		}
	}
	return false
}

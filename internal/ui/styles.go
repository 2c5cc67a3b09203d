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
	// colorless says that nothing is told apart by colour, not even shades.
	colorless bool

	strong, muted, faint, accent, badge paint
	pass, warn, fail                    paint
	limit, cursor, spark                paint
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
	tick, limitDash, timeDash                      rune
	repetition, fault                              rune
	ellipsis, dot, cursorMark, marked, chevron     string
	barFull, barEmpty, barMiddle, above, below, up string
	sparks                                         []rune
	legend                                         [maxLines]string
}

var unicodeGlyphs = glyphs{
	topLeft: "╭", topRight: "╮", bottomLeft: "╰", bottomRight: "╯",
	horizontal: "─", vertical: "│",
	tick: '┤', limitDash: '╌', timeDash: '┊',
	repetition: '┴', fault: '▲',
	ellipsis: "…", dot: "●", cursorMark: "▸", marked: "◆", chevron: "›",
	barFull: "━", barEmpty: "─", barMiddle: "┼", above: "↑", below: "↓", up: "↕",
	sparks: []rune("▁▂▃▄▅▆▇█"),
	legend: [...]string{"━", "╍", "┅", "┈"},
}

var asciiGlyphs = glyphs{
	ascii:   true,
	topLeft: "+", topRight: "+", bottomLeft: "+", bottomRight: "+",
	horizontal: "-", vertical: "|",
	tick: '|', limitDash: '-', timeDash: ':',
	repetition: '|', fault: '^',
	ellipsis: "~", dot: "*", cursorMark: ">", marked: "x", chevron: ">",
	barFull: "#", barEmpty: "-", barMiddle: "|", above: "^", below: "v", up: "|",
	sparks: []rune("_.-=+*%#"),
	legend: [...]string{"*", "+", "o", "x"},
}

// palette holds the colours of one background.
type palette struct {
	muted, faint, accent, warn, fail, limit, spark, on string
	lines, fills                                       [maxLines]string
}

// The two palettes have one accent, which is also the first line of a chart
// and what passed. The other lines are far from it in lightness as well as in
// hue, so that they can be told apart without seeing green or red.
var (
	darkPalette = palette{
		muted: "#8b949e", faint: "#484f58", accent: "#3fd0b6", warn: "#e3b341", fail: "#ff6b6b", limit: "#b3a06a", spark: "#2c8577", on: "#0d1117",
		lines: [...]string{"#3fd0b6", "#7aa7ff", "#e0a86b", "#c9a0e8"},
		fills: [...]string{"#1d574e", "#2c4066", "#5c4630", "#503f5e"},
	}
	lightPalette = palette{
		muted: "#57606a", faint: "#b3bac2", accent: "#0b7a6b", warn: "#8a5a00", fail: "#c4232b", limit: "#8a7330", spark: "#4da396", on: "#ffffff",
		lines: [...]string{"#0b7a6b", "#2458c5", "#a8570d", "#7a3fa0"},
		fills: [...]string{"#a9d8d0", "#bccdf0", "#ecd0b0", "#dcc6ea"},
	}
)

// newStyles returns the looks for an output. Color is auto, always or never;
// theme is auto, dark or light.
func newStyles(out io.Writer, color, theme string, ascii bool) styles {
	r := lipgloss.DefaultRenderer()
	if out != nil {
		r = lipgloss.NewRenderer(out)
	}
	dark := theme == "dark" || theme != "light" && r.HasDarkBackground()
	profile := r.Output().EnvColorProfile()
	switch {
	case color == "never":
		profile = termenv.Ascii
	case color == "always" && profile == termenv.Ascii:
		profile = termenv.TrueColor
	}
	r = lipgloss.NewRenderer(io.Discard)
	r.SetColorProfile(profile)

	p := lightPalette
	if dark {
		p = darkPalette
	}
	fg := func(c string) lipgloss.Style { return r.NewStyle().Foreground(lipgloss.Color(c)) }
	s := styles{
		glyphs: unicodeGlyphs, colorless: profile == termenv.Ascii,
		strong: newPaint(r.NewStyle().Bold(true)),
		muted:  newPaint(fg(p.muted)),
		faint:  newPaint(fg(p.faint)),
		accent: newPaint(fg(p.accent)),
		badge:  newPaint(fg(p.on).Background(lipgloss.Color(p.warn)).Bold(true)),
		pass:   newPaint(fg(p.accent)),
		warn:   newPaint(fg(p.warn).Bold(true)),
		fail:   newPaint(fg(p.fail).Bold(true)),
		limit:  newPaint(fg(p.limit)),
		spark:  newPaint(fg(p.spark)),
		cursor: newPaint(fg(p.accent).Bold(true)),

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

// help returns the looks of key hints.
func (s *styles) help() help.Styles {
	return help.Styles{
		Ellipsis: s.helpFaint, ShortKey: s.helpKey, ShortDesc: s.helpText, ShortSeparator: s.helpFaint,
		FullKey: s.helpKey, FullDesc: s.helpText, FullSeparator: s.helpFaint,
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

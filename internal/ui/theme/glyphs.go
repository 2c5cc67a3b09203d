package theme

// glyphs are the characters that the screens draw with.
type glyphs struct {
	// ASCIIOnly is true if all of them are ASCII.
	ASCIIOnly                                      bool
	TopLeft, TopRight, BottomLeft, BottomRight     string
	Horizontal, Vertical                           string
	Tick, LimitDash, TimeDash, TopTick             rune
	Repetition, Fault, Manual, UserMark            rune
	Ellipsis, Dot, CursorMark, Marked, Chevron     string
	CaretMark, Paused, Times, Here                 string
	AxisMark, LimitMark                            rune
	BarFull, BarEmpty, BarMiddle, Above, Below, Up string
	Sparks                                         []rune
	Legend                                         [MaxLines]string
}

var unicodeGlyphs = glyphs{
	TopLeft: "╭", TopRight: "╮", BottomLeft: "╰", BottomRight: "╯",
	Horizontal: "─", Vertical: "│",
	Tick: '┤', LimitDash: '╌', TimeDash: '┊', TopTick: '╷',
	Repetition: '┴', Fault: '▲', Manual: '◆', UserMark: '▼',
	Ellipsis: "…", Dot: "●", CursorMark: "▸", Marked: "◆", Chevron: "›", CaretMark: "▏", Paused: "‖", Times: "×", Here: "▲",
	AxisMark: '┴', LimitMark: '┿',
	BarFull: "━", BarEmpty: "─", BarMiddle: "┼", Above: "↑", Below: "↓", Up: "↕",
	Sparks: []rune("▁▂▃▄▅▆▇█"),
	Legend: [...]string{"━", "╍", "┅", "┈"},
}

var asciiGlyphs = glyphs{
	ASCIIOnly: true,
	TopLeft:   "+", TopRight: "+", BottomLeft: "+", BottomRight: "+",
	Horizontal: "-", Vertical: "|",
	Tick: '|', LimitDash: '-', TimeDash: ':', TopTick: '\'',
	Repetition: '|', Fault: '^', Manual: '+', UserMark: 'v',
	Ellipsis: "~", Dot: "*", CursorMark: ">", Marked: "x", Chevron: ">", CaretMark: "_", Paused: "=", Times: "x", Here: "^",
	AxisMark: '+', LimitMark: '|',
	BarFull: "#", BarEmpty: "-", BarMiddle: "|", Above: "^", Below: "v", Up: "|",
	Sparks: []rune("_.-=+*%#"),
	Legend: [...]string{"*", "+", "o", "x"},
}

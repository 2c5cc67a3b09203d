package theme

// A scheme is the palettes of a theme, for dark and light backgrounds.
type scheme struct {
	name        string
	dark, light palette
}

// A palette holds the colours for one background. The accent also marks what
// passed, and the first line of a chart.
type palette struct {
	muted, faint, accent, warn, fail, limit, spark, on string
	lines, fills                                       [MaxLines]string
}

// schemes are in the order in which the theme key cycles through them.
var schemes = []scheme{
	{
		name: "teal",
		dark: palette{
			muted: "#8b949e", faint: "#484f58", accent: "#3fd0b6", warn: "#e3b341", fail: "#ff6b6b", limit: "#b3a06a", spark: "#2c8577", on: "#0d1117",
			lines: [...]string{"#3fd0b6", "#7aa7ff", "#e0a86b", "#c9a0e8"},
			fills: [...]string{"#17423b", "#22314f", "#463624", "#3d3048"},
		},
		light: palette{
			muted: "#57606a", faint: "#b3bac2", accent: "#0b7a6b", warn: "#8a5a00", fail: "#c4232b", limit: "#8a7330", spark: "#4da396", on: "#ffffff",
			lines: [...]string{"#0b7a6b", "#2458c5", "#a8570d", "#7a3fa0"},
			fills: [...]string{"#cbe8e3", "#d6e0f6", "#f4e2cf", "#e9dcf2"},
		},
	},
	{
		// Blue for passed, yellow for close and vermilion for failed differ in
		// hue or lightness under protanopia, deuteranopia and tritanopia.
		name: "colorblind",
		dark: palette{
			muted: "#9aa0a6", faint: "#4d5156", accent: "#56b4e9", warn: "#f0e442", fail: "#ff7a2e", limit: "#b8a878", spark: "#3a7da3", on: "#0d1117",
			lines: [...]string{"#56b4e9", "#e69f00", "#f4f0e6", "#cc79a7"},
			fills: [...]string{"#1c3e53", "#483404", "#393735", "#462b3a"},
		},
		light: palette{
			muted: "#555b61", faint: "#b5bac0", accent: "#00619e", warn: "#806a00", fail: "#7a1500", limit: "#80703c", spark: "#5c9cc4", on: "#ffffff",
			lines: [...]string{"#00619e", "#b85c00", "#2b2b2b", "#96407a"},
			fills: [...]string{"#d0e5f2", "#f6e4cf", "#e1e1e1", "#efdce7"},
		},
	},
	{
		// The terminal's own sixteen colours. None of them is sure to be a quiet
		// one, so areas are not filled.
		name: "terminal",
		dark: palette{
			muted: "7", faint: "8", accent: "14", warn: "11", fail: "9", limit: "3", spark: "6", on: "0",
			lines: [...]string{"14", "12", "11", "13"},
			fills: [...]string{"14", "12", "11", "13"},
		},
		light: palette{
			muted: "8", faint: "7", accent: "6", warn: "3", fail: "1", limit: "3", spark: "6", on: "15",
			lines: [...]string{"6", "4", "3", "5"},
			fills: [...]string{"6", "4", "3", "5"},
		},
	},
}

// Names returns the names of the themes, the default theme first.
func Names() []string {
	names := make([]string, len(schemes))
	for i, t := range schemes {
		names[i] = t.name
	}
	return names
}

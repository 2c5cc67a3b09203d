package theme

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/muesli/termenv"
)

// rgb is a colour in linear light.
type rgb [3]float64

func parseColor(t *testing.T, hex string) rgb {
	t.Helper()
	var c [3]int
	if _, err := fmt.Sscanf(hex, "#%02x%02x%02x", &c[0], &c[1], &c[2]); err != nil {
		t.Fatalf("colour %q: %v", hex, err)
	}
	var out rgb
	for i, v := range c {
		if x := float64(v) / 255; x <= 0.04045 {
			out[i] = x / 12.92
		} else {
			out[i] = math.Pow((x+0.055)/1.055, 2.4)
		}
	}
	return out
}

func (c rgb) luminance() float64 { return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2] }

// contrast is that of the WCAG: from 1 to 21.
func contrast(a, b rgb) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// lab is a colour in CIE L*a*b*, in which distances are about as they are seen.
func (c rgb) lab() [3]float64 {
	f := func(v float64) float64 {
		if v > 216.0/24389 {
			return math.Cbrt(v)
		}
		return (24389.0/27*v + 16) / 116
	}
	x := f((0.4124*c[0] + 0.3576*c[1] + 0.1805*c[2]) / 0.9505)
	y := f(c.luminance())
	z := f((0.0193*c[0] + 0.1192*c[1] + 0.9505*c[2]) / 1.089)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

func distance(a, b rgb) float64 {
	p, q := a.lab(), b.lab()
	return math.Hypot(math.Hypot(p[0]-q[0], p[1]-q[1]), p[2]-q[2])
}

// The colours as they are seen without one kind of cones, in linear light
// (Machado, Oliveira and Fernandes, 2009, severity 1).
var blindness = map[string][3][3]float64{
	"protanopia":   {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
	"deuteranopia": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
	"tritanopia":   {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
}

func (c rgb) seen(m [3][3]float64) rgb {
	var out rgb
	for i := range out {
		out[i] = min(max(m[i][0]*c[0]+m[i][1]*c[1]+m[i][2]*c[2], 0), 1)
	}
	return out
}

// Text has enough contrast on the usual backgrounds.
func TestThemesCanBeRead(t *testing.T) {
	for _, theme := range schemes {
		if theme.name == "terminal" {
			continue // its colours are not ours
		}
		for _, c := range []struct {
			palette palette
			paper   string
		}{{theme.dark, "#111111"}, {theme.light, "#ffffff"}} {
			paper := parseColor(t, c.paper)
			for name, color := range map[string]string{"muted": c.palette.muted, "accent": c.palette.accent, "warn": c.palette.warn, "fail": c.palette.fail} {
				if got := contrast(parseColor(t, color), paper); got < 4.5 {
					t.Errorf("%s: %s has a contrast of %.1f to %s, and text needs 4.5", theme.name, name, got, c.paper)
				}
			}
			for i, color := range append(c.palette.lines[:], c.palette.limit) {
				if got := contrast(parseColor(t, color), paper); got < 3 {
					t.Errorf("%s: line %d has a contrast of %.1f to %s, and lines need 3", theme.name, i, got, c.paper)
				}
			}
			if got := contrast(parseColor(t, c.palette.on), parseColor(t, c.palette.warn)); got < 4.5 {
				t.Errorf("%s: a badge has a contrast of %.1f", theme.name, got)
			}
		}
	}
}

// The colorblind theme keeps passed, close and failed apart for every kind of
// colour blindness, and so the first lines of a chart.
func TestColorblindTheme(t *testing.T) {
	theme := schemes[slices.Index(Names(), "colorblind")]
	for _, p := range []palette{theme.dark, theme.light} {
		for kind, matrix := range blindness {
			for _, set := range [][]string{{p.accent, p.warn, p.fail}, p.lines[:3]} {
				for i, a := range set {
					for _, b := range set[i+1:] {
						if d := distance(parseColor(t, a).seen(matrix), parseColor(t, b).seen(matrix)); d < 20 {
							t.Errorf("%s: %s and %s are only %.0f apart", kind, a, b, d)
						}
					}
				}
			}
		}
	}
}

func TestDarkAndLight(t *testing.T) {
	for _, theme := range schemes {
		dark := newTheme(termenv.TrueColor, theme, true, false)
		light := newTheme(termenv.TrueColor, theme, false, false)
		if dark.Accent == light.Accent || dark.Lines == light.Lines {
			t.Errorf("%s: dark and light look the same", theme.name)
		}
	}
}

// Command pictures turns what a terminal shows into a picture: the output of
// tmux capture-pane -pe on standard input becomes an SVG on standard output.
// Each cell is placed by its column, and braille and blocks are drawn as shapes,
// so that charts are exact whatever the font. docs/pictures/make uses it.
package main

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/mattn/go-runewidth"
)

// The size of a cell, of its text, and of the margin around all, in pixels.
const (
	cellWidth, cellHeight = 8.4, 17.0
	fontSize, baseline    = 14, 12.5
	margin                = 10.0
)

const background, foreground = "#0f1115", "#d5dae0"

// ansi are the sixteen colours that have a number of their own.
var ansi = [16]string{
	"#1b1e24", "#d9534f", "#4cb782", "#d9a441", "#4f8fd9", "#a76fd1", "#3fb8b0", "#c9ced6",
	"#6b7480", "#ff7b78", "#6fd6a2", "#f2c46b", "#7db1ff", "#cfa2ff", "#67dcd3", "#ffffff",
}

// A pen is how a cell is drawn.
type pen struct {
	fore, back             string // empty: the terminal's own
	bold, faint, underline bool
	reverse                bool
}

func (p pen) colors() (fore, back string) {
	fore, back = p.fore, p.back
	if p.reverse {
		if fore == "" {
			fore = foreground
		}
		if back == "" {
			back = background
		}
		fore, back = back, fore
	}
	if fore == "" {
		fore = foreground
	}
	return fore, back
}

// apply takes in one select-graphic-rendition sequence.
func (p *pen) apply(codes []int) {
	for i := 0; i < len(codes); i++ {
		switch c := codes[i]; {
		case c == 0:
			*p = pen{}
		case c == 1:
			p.bold = true
		case c == 2:
			p.faint = true
		case c == 4:
			p.underline = true
		case c == 7:
			p.reverse = true
		case c == 22:
			p.bold, p.faint = false, false
		case c == 24:
			p.underline = false
		case c == 27:
			p.reverse = false
		case c >= 30 && c <= 37:
			p.fore = ansi[c-30]
		case c >= 90 && c <= 97:
			p.fore = ansi[c-82]
		case c == 39:
			p.fore = ""
		case c >= 40 && c <= 47:
			p.back = ansi[c-40]
		case c >= 100 && c <= 107:
			p.back = ansi[c-92]
		case c == 49:
			p.back = ""
		case c == 38 || c == 48:
			color, used := extended(codes[i+1:])
			i += used
			if c == 38 {
				p.fore = color
			} else {
				p.back = color
			}
		}
	}
}

// extended reads a colour of the 256 or the 16 million, and says how many codes
// it has.
func extended(codes []int) (color string, used int) {
	switch {
	case len(codes) >= 2 && codes[0] == 5:
		return indexed(codes[1]), 2
	case len(codes) >= 4 && codes[0] == 2:
		return fmt.Sprintf("#%02x%02x%02x", codes[1], codes[2], codes[3]), 4
	}
	return "", len(codes)
}

func indexed(n int) string {
	switch {
	case n < 16:
		return ansi[n]
	case n >= 232:
		gray := 8 + (n-232)*10
		return fmt.Sprintf("#%02x%02x%02x", gray, gray, gray)
	}
	n -= 16
	level := func(n int) int {
		if n == 0 {
			return 0
		}
		return 55 + 40*n
	}
	return fmt.Sprintf("#%02x%02x%02x", level(n/36), level(n/6%6), level(n%6))
}

func main() {
	if err := draw(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		os.Exit(1)
	}
}

// draw reads a screen and writes its picture.
func draw(in io.Reader, out io.Writer) error {
	var body strings.Builder
	rows, columns := 0, 0
	var p pen
	lines := bufio.NewScanner(in)
	for ; lines.Scan(); rows++ {
		columns = max(columns, drawRow(&body, &p, lines.Text(), rows))
	}
	if err := lines.Err(); err != nil {
		return err
	}
	width, height := 2*margin+float64(columns)*cellWidth, 2*margin+float64(rows)*cellHeight
	_, err := fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.1f %.1f" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="%d">
<rect width="100%%" height="100%%" rx="6" fill="%s"/>
%s</svg>
`, width, height, width, height, fontSize, background, body.String())
	return err
}

// drawRow draws one line and returns how many cells it has.
func drawRow(w *strings.Builder, p *pen, line string, row int) (column int) {
	y := margin + float64(row)*cellHeight
	var text strings.Builder
	start := 0
	flush := func() {
		if s := text.String(); strings.TrimSpace(s) != "" {
			fore, _ := p.colors()
			attributes := ""
			if p.bold {
				attributes += ` font-weight="bold"`
			}
			if p.faint {
				attributes += ` opacity="0.6"`
			}
			if p.underline {
				attributes += ` text-decoration="underline"`
			}
			fmt.Fprintf(w, `<text xml:space="preserve" x="%.1f" y="%.1f" textLength="%.1f" fill="%s"%s>%s</text>`+"\n",
				margin+float64(start)*cellWidth, y+baseline, float64(column-start)*cellWidth, fore, attributes, html.EscapeString(s))
		}
		text.Reset()
		start = column
	}
	for i := 0; i < len(line); {
		if line[i] == 0x1b {
			end := strings.IndexAny(line[i:], "mKABCDHJ")
			if end < 0 {
				break
			}
			if line[i+end] == 'm' {
				flush()
				p.apply(codesOf(line[i+2 : i+end]))
			}
			i += end + 1
			continue
		}
		r, size := rune(line[i]), 1
		for _, first := range line[i:] {
			r, size = first, len(string(first))
			break
		}
		i += size
		cells := runewidth.RuneWidth(r)
		fore, back := p.colors()
		x := margin + float64(column)*cellWidth
		if back != "" {
			fmt.Fprintf(w, `<rect x="%.1f" y="%.1f" width="%.2f" height="%.1f" fill="%s"/>`+"\n", x, y, float64(cells)*cellWidth+0.2, cellHeight+0.2, back)
		}
		if shape := shapeOf(r, x, y); shape != "" {
			flush()
			opacity := ""
			if p.faint {
				opacity = ` opacity="0.6"`
			}
			fmt.Fprintf(w, `<path d="%s" fill="%s"%s/>`+"\n", shape, fore, opacity)
			column += cells
			start = column
			continue
		}
		text.WriteRune(r)
		column += cells
	}
	flush()
	return column
}

func codesOf(sequence string) []int {
	if sequence == "" {
		return []int{0}
	}
	var codes []int
	for _, part := range strings.FieldsFunc(sequence, func(r rune) bool { return r == ';' || r == ':' }) {
		n, err := strconv.Atoi(part)
		if err != nil {
			continue
		}
		codes = append(codes, n)
	}
	return codes
}

// shapeOf is the path of a braille pattern or a block; empty for any other rune.
func shapeOf(r rune, x, y float64) string {
	box := func(x, y, width, height float64) string {
		return fmt.Sprintf("M%.1f %.1fh%.1fv%.1fh-%.1fz", x, y, width, height, width)
	}
	switch {
	case r > 0x2800 && r <= 0x28ff:
		dots := [8][2]float64{{0, 0}, {0, 1}, {0, 2}, {1, 0}, {1, 1}, {1, 2}, {0, 3}, {1, 3}}
		var path strings.Builder
		for i, at := range dots {
			if r>>i&1 == 1 {
				path.WriteString(box(x+at[0]*cellWidth/2+1, y+at[1]*cellHeight/4+1, 2.2, 2.2))
			}
		}
		return path.String()
	case r >= 0x2581 && r <= 0x2588: // from below, in eighths
		height := cellHeight * float64(r-0x2580) / 8
		return box(x, y+cellHeight-height, cellWidth, height)
	case r >= 0x2589 && r <= 0x258f: // from the left, in eighths
		return box(x, y, cellWidth*float64(0x2590-r)/8, cellHeight)
	}
	return ""
}

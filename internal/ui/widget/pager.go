package widget

// A Pager is a screen of rows that may be more than there is room for.
type Pager struct {
	// rows are cached for a width.
	Rows   []string
	width  int
	Offset int
}

// LayOut writes the rows for a width, if it has changed.
func (p *Pager) LayOut(width, height int, write func() []string) {
	if p.width != width || p.Rows == nil {
		p.Rows, p.width = write(), width
	}
	p.Scroll(0, height)
}

func (p *Pager) Scroll(by, height int) {
	p.Offset = min(max(p.Offset+by, 0), max(len(p.Rows)-height, 0))
}

// Shown is the part that is scrolled to; layOut comes before it.
func (p Pager) Shown(height int) []string {
	return p.Rows[min(p.Offset, len(p.Rows)):min(p.Offset+height, len(p.Rows))]
}

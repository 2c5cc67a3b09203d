package ui

// A pager is a screen of rows that may be more than there is room for.
type pager struct {
	// rows are cached for a width.
	rows   []string
	width  int
	offset int
}

// layOut writes the rows for a width, if it has changed.
func (p *pager) layOut(width, height int, write func() []string) {
	if p.width != width || p.rows == nil {
		p.rows, p.width = write(), width
	}
	p.scroll(0, height)
}

func (p *pager) scroll(by, height int) {
	p.offset = min(max(p.offset+by, 0), max(len(p.rows)-height, 0))
}

// shown is the part that is scrolled to; layOut comes before it.
func (p pager) shown(height int) []string {
	return p.rows[min(p.offset, len(p.rows)):min(p.offset+height, len(p.rows))]
}

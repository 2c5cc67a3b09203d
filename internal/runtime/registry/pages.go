package registry

import "iter"

const (
	pageBits = 9
	pageSize = 1 << pageBits
)

// A pages is a list that grows without moving its values, so adding to a long list costs no more than
// adding to a short one.
type pages[T any] struct {
	full [][]T // all but the last page, of pageSize each
	last []T
}

// len returns the number of values.
func (p *pages[T]) len() int { return len(p.full)<<pageBits + len(p.last) }

// at returns the address of the value at a position.
func (p *pages[T]) at(i int) *T {
	if page := i >> pageBits; page < len(p.full) {
		return &p.full[page][i&(pageSize-1)]
	}
	return &p.last[i&(pageSize-1)]
}

// add appends a value.
func (p *pages[T]) add(v T) {
	if len(p.last) == pageSize {
		p.full = append(p.full, p.last)
		p.last = make([]T, 0, pageSize)
	}
	p.last = append(p.last, v)
}

// removeLast removes the last value.
func (p *pages[T]) removeLast() {
	if len(p.last) == 0 {
		end := len(p.full) - 1
		p.last = p.full[end]
		p.full[end] = nil
		p.full = p.full[:end]
	}
	clear(p.last[len(p.last)-1:])
	p.last = p.last[:len(p.last)-1]
}

// all yields the values in their order.
func (p *pages[T]) all() iter.Seq[T] {
	return func(yield func(T) bool) {
		for i := range p.len() {
			if !yield(*p.at(i)) {
				return
			}
		}
	}
}

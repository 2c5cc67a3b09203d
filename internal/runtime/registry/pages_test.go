package registry

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestPages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var (
			p     pages[int]
			model []int
		)
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				for range rapid.IntRange(1, 2*pageSize).Draw(t, "n") {
					p.add(len(model))
					model = append(model, len(model))
				}
			},
			"drop": func(t *rapid.T) {
				for range min(rapid.IntRange(1, 2*pageSize).Draw(t, "n"), len(model)) {
					p.removeLast()
					model = model[:len(model)-1]
				}
			},
			"set": func(t *rapid.T) {
				if len(model) > 0 {
					i := rapid.IntRange(0, len(model)-1).Draw(t, "i")
					*p.at(i), model[i] = -i, -i
				}
			},
			"": func(t *rapid.T) {
				if p.len() != len(model) || !slices.Equal(slices.Collect(p.all()), model) {
					t.Fatalf("%d values %v, want %d %v", p.len(), slices.Collect(p.all()), len(model), model)
				}
			},
		})
	})
}

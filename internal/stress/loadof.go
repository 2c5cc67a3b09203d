package stress

import (
	"mabeam-top/internal/stress/load"
	"mabeam-top/internal/stress/scenario"
)

// LoadOf returns the load that the parameters describe. A closed load without a
// duration has that many operations.
func LoadOf(p scenario.Params, operations int) load.Load {
	l := load.Load{Workers: p.Int("concurrency")}
	for _, s := range p.Stages("stages") {
		l.Stages = append(l.Stages, load.Stage(s))
	}
	if p.Has("duration") {
		l.For = p.Duration("duration")
	} else {
		l.Operations = operations
	}
	if p.Has("rate") {
		l.Stages = []load.Stage{{Rate: p.Float("rate"), For: l.For}}
	}
	if l.IsOpen() {
		l.Workers = max(l.Workers, load.MinOpenWorkers)
		l.For, l.Operations = 0, 0
	}
	return l
}

// Floors tells what floors the baseline table can have, from the reports of many
// runs of a healthy build:
//
//	go run ./internal/stress/verdict/floors REPORT.json ...
//
// For each metric of speed and memory of each step it looks for the reference work
// that the metric keeps the steadiest ratio to, and prints that ratio's median and
// spread and the share that makes a floor. Runs at different times and under
// different loads tell more than many in a row.
package main

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"text/tabwriter"

	"mabeam-top/internal/stress/report"
)

// room is by what factor a metric may be worse than its median before it is below the
// floor. A build that is three times slower is on the other side of it by 3/room, and
// a healthy one on this side by room: the larger part of the way is the healthy
// build's, because its runs are the many.
const room = 2.2

func main() {
	ratios, err := read(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "floors:", err)
		os.Exit(1)
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "step\tmetric\tof\tshare\tmedian ratio\tworst/median\tsigma\truns")
	for _, k := range slices.SortedFunc(maps.Keys(ratios), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.step, b.step), cmp.Compare(a.metric, b.metric))
	}) {
		best := steadiest(ratios[k])
		fmt.Fprintf(out, "%s\t%s\t%s\t%.3g\t%.3g\t%.2f\t%.3f\t%d\n",
			k.step, k.metric, best.work, best.share(k.better), best.median, best.worst(k.better), best.sigma, len(best.values))
	}
	_ = out.Flush()
}

// unlike are the works that are like nothing that the runtime does: a ratio to them
// is steady by chance only.
var unlike = []string{"timer", "computation", "bandwidth"}

// A key names a metric of a step.
type key struct {
	step, metric string
	better       report.Better
}

// A ratio is a metric's ratio to a reference work in all runs.
type ratio struct {
	work          string
	values        []float64
	median, sigma float64
}

// read returns the ratios of each metric to each work that fits it.
func read(paths []string) (map[key]map[string]*ratio, error) {
	all := map[key]map[string]*ratio{}
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		r, err := report.Read(f)
		_ = f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		for _, s := range r.Scenarios {
			for _, step := range s.Steps {
				for name, m := range step.Metrics {
					add(all, key{s.Name + "/" + step.Name, name, m.Better}, m, step.Reference)
				}
			}
		}
	}
	return all, nil
}

// add takes in one metric of one run, and the percentiles of its distribution.
func add(all map[key]map[string]*ratio, k key, m report.Metric, reference map[string]float64) {
	values := map[string]float64{}
	if v, ok := m.Value.(float64); ok {
		values[k.metric] = v
	}
	if m.Distribution != nil {
		for _, stat := range []string{"p50", "p99", "p999"} {
			if v, ok := m.Distribution.Stat(stat); ok {
				values[k.metric+"."+stat] = v
			}
		}
	}
	for name, v := range values {
		for work, cost := range reference {
			isBytes := work == "entry_bytes"
			if v <= 0 || isBytes != (m.Unit == "bytes" || m.Unit == "MB") || !isBytes && m.Unit != "1/s" && m.Unit != "ms" || slices.Contains(unlike, work) {
				continue
			}
			to := key{k.step, name, k.better}
			if all[to] == nil {
				all[to] = map[string]*ratio{}
			}
			if all[to][work] == nil {
				all[to][work] = &ratio{work: work}
			}
			all[to][work].values = append(all[to][work].values, v/report.ReferenceIn(m.Unit, cost))
		}
	}
}

// steadiest returns the ratio with the least spread.
func steadiest(of map[string]*ratio) *ratio {
	var best *ratio
	for _, work := range slices.Sorted(maps.Keys(of)) {
		r := of[work]
		r.median = report.Median(r.values)
		logs := make([]float64, len(r.values))
		for i, v := range r.values {
			logs[i] = math.Abs(math.Log(v / r.median))
		}
		// Of a normal distribution, half of the values are within 0.6745 sigma; the
		// worst counts as 3 of them.
		r.sigma = max(report.Median(logs)/0.6745, slices.Max(logs)/3)
		if best == nil || r.sigma < best.sigma {
			best = r
		}
	}
	return best
}

// share is the one that makes the floor.
func (r *ratio) share(better report.Better) float64 {
	if better == report.Higher {
		return r.median / room
	}
	return r.median * room
}

// worst is by what factor the worst run was worse than the median.
func (r *ratio) worst(better report.Better) float64 {
	if better == report.Higher {
		return r.median / slices.Min(r.values)
	}
	return slices.Max(r.values) / r.median
}

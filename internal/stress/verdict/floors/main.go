// Command floors proposes floors for the baseline table, from reports of many runs of a
// healthy build:
//
//	go run ./internal/stress/verdict/floors REPORT.json ...
//
// For each metric of speed and memory of each step, it finds the reference workload
// with the steadiest ratio to the metric, and prints the median and the spread of that
// ratio and the share for a floor. Use runs at different times and under different
// loads rather than many in a row.
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

// margin is the factor by which a metric may be worse than its median before it misses
// the floor. A build that is three times slower misses it by 3/margin. The margin of a
// healthy build is larger, because most runs are of healthy builds.
const margin = 2.2

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
			k.step, k.metric, best.workload, best.share(k.better), best.median, best.worst(k.better), best.sigma, len(best.values))
	}
	_ = out.Flush()
}

// unrelated are the workloads that resemble nothing in the runtime: a ratio to them is
// steady only by chance.
var unrelated = []string{"timer", "computation", "bandwidth"}

// A key names a metric of a step.
type key struct {
	step, metric string
	better       report.Better
}

// A ratio is the ratio of a metric to a reference workload in all runs.
type ratio struct {
	workload      string
	values        []float64
	median, sigma float64
}

// read returns the ratios of each metric to each reference workload with a matching unit.
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

// add adds one metric of one run, and the percentiles of its distribution.
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
		for workload, cost := range reference {
			isBytes := workload == "entry_bytes"
			if v <= 0 || isBytes != (m.Unit == "bytes" || m.Unit == "MB") || !isBytes && m.Unit != "1/s" && m.Unit != "ms" || slices.Contains(unrelated, workload) {
				continue
			}
			to := key{k.step, name, k.better}
			if all[to] == nil {
				all[to] = map[string]*ratio{}
			}
			if all[to][workload] == nil {
				all[to][workload] = &ratio{workload: workload}
			}
			all[to][workload].values = append(all[to][workload].values, v/report.ReferenceIn(m.Unit, cost))
		}
	}
}

// steadiest returns the ratio with the least spread.
func steadiest(of map[string]*ratio) *ratio {
	var best *ratio
	for _, workload := range slices.Sorted(maps.Keys(of)) {
		r := of[workload]
		r.median = report.Median(r.values)
		logs := make([]float64, len(r.values))
		for i, v := range r.values {
			logs[i] = math.Abs(math.Log(v / r.median))
		}
		// Half of the values of a normal distribution lie within 0.6745 sigma. The worst
		// one counts as 3 sigma.
		r.sigma = max(report.Median(logs)/0.6745, slices.Max(logs)/3)
		if best == nil || r.sigma < best.sigma {
			best = r
		}
	}
	return best
}

// share returns the share for the floor.
func (r *ratio) share(better report.Better) float64 {
	if better == report.Higher {
		return r.median / margin
	}
	return r.median * margin
}

// worst returns the factor by which the worst run was worse than the median.
func (r *ratio) worst(better report.Better) float64 {
	if better == report.Higher {
		return r.median / slices.Min(r.values)
	}
	return slices.Max(r.values) / r.median
}

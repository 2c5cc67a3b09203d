package verdict

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
)

// differences lists how the machines and programs of two runs differ. It ignores what
// is unknown for one of them.
func differences(before, now report.Report) []string {
	var found []string
	add := func(what, a, b string) {
		if a != b && a != "" && b != "" {
			found = append(found, fmt.Sprintf("%s differs: %s before, %s now", what, a, b))
		}
	}
	number := func(n uint64) string {
		if n == 0 {
			return ""
		}
		return fmt.Sprint(n)
	}
	a, b := before.Host, now.Host
	add("the operating system", a.OS+a.Arch, b.OS+b.Arch)
	add("the kernel", a.Kernel, b.Kernel)
	add("the CPU", a.CPUModel, b.CPUModel)
	add("the number of CPUs", number(uint64(a.CPUs)), number(uint64(b.CPUs)))
	add("GOMAXPROCS", number(uint64(a.GOMAXPROCS)), number(uint64(b.GOMAXPROCS)))
	// The memory of a virtual machine varies by some bytes from start to start.
	if x, y := float64(a.MemoryBytes), float64(b.MemoryBytes); x > 0 && y > 0 && math.Abs(x-y) > 0.02*x {
		add("the memory", quantity.Format(x, "bytes"), quantity.Format(y, "bytes"))
	}
	if now.Host != (report.Host{}) && before.Host != (report.Host{}) {
		limit := func(h report.Host) string {
			if h.CgroupMemoryBytes == nil {
				return "none"
			}
			return quantity.Format(float64(*h.CgroupMemoryBytes), "bytes")
		}
		add("the memory limit", limit(a), limit(b))
		add("GOMEMLIMIT", number(uint64(max(a.GOMemLimit, 0))), number(uint64(max(b.GOMemLimit, 0))))
	}
	add("the Go version", before.Tool.Go, now.Tool.Go)
	add("the seed", number(before.Seed), number(now.Seed))
	for _, p := range pairsOf(before, now) {
		found = append(found, p.differences()...)
	}
	return found
}

// differences lists how the conditions of the step differ, without its parameters.
func (p pair) differences() []string {
	if p.before == nil || p.now == nil {
		return nil
	}
	var found []string
	where := p.scenario + " › " + p.step
	a, b := p.before.RepetitionCount(), p.now.RepetitionCount()
	if a != b && a > 0 && b > 0 {
		found = append(found, fmt.Sprintf("%s: %d repetitions before, %d now", where, a, b))
	}
	if len(p.now.Metrics) > 0 && p.before.Isolated != p.now.Isolated {
		process := map[bool]string{true: "in a process of its own", false: "in the main process"}
		found = append(found, fmt.Sprintf("%s: measured %s before, %s now", where, process[p.before.Isolated], process[p.now.Isolated]))
	}
	if p.before.Steered || p.now.Steered {
		found = append(found, where+": somebody steered the load manually")
	}
	return found
}

// differentParams lists the parameters of a step that differ. It is empty if they are
// the same.
func differentParams(before, now report.Step) string {
	if before.Measurement != now.Measurement {
		return fmt.Sprintf("it measured %s before, %s now", before.Measurement, now.Measurement)
	}
	a, b := decoded(before.Params), decoded(now.Params)
	names := map[string]bool{}
	for name := range a {
		names[name] = true
	}
	for name := range b {
		names[name] = true
	}
	var found []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !reflect.DeepEqual(a[name], b[name]) {
			found = append(found, fmt.Sprintf("%s was %s, is %s", name, paramText(a, name), paramText(b, name)))
		}
	}
	return strings.Join(found, ", ")
}

// paramText returns a parameter for a message.
func paramText(params map[string]any, name string) string {
	v, ok := params[name]
	if !ok {
		return "not set"
	}
	if s, ok := v.(string); ok {
		return s
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}

// decoded returns parameters as they are read from a report file, so that numbers of
// all types become float64.
func decoded(params map[string]any) map[string]any {
	data, err := json.Marshal(params)
	if err != nil {
		return params
	}
	var out map[string]any
	if err := json.Unmarshal(data, &out); err != nil {
		return params
	}
	return out
}

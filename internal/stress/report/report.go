// Package report is the record of a run: what was measured, how it was judged, and how it
// compares with an earlier run. It also keeps the records of past runs in a store.
//
// It measures nothing and judges no metric. Package format prints reports.
package report

import "time"

// Schema is the version of the JSON report. It changes when readers of the report would
// have to change.
const Schema = "mabeam-top/report/v1"

// A Report is the result of one run.
type Report struct {
	Schema          string    `json:"schema"`
	ID              string    `json:"id"`
	StartedAt       time.Time `json:"started_at"`
	DurationSeconds float64   `json:"duration_seconds"`
	Tool            Tool      `json:"tool"`
	Command         []string  `json:"command"`
	Seed            uint64    `json:"seed"`
	Host            Host      `json:"host"`
	// MeasurementOverheadNS is the cost of recording one operation in nanoseconds, which
	// every latency includes. 0 means that it was not measured.
	MeasurementOverheadNS float64     `json:"measurement_overhead_ns"`
	Verdict               Verdict     `json:"verdict"`
	Score                 float64     `json:"score"`
	Grade                 Grade       `json:"grade"`
	Scenarios             []Scenario  `json:"scenarios"`
	Regression            *Regression `json:"regression,omitempty"`
	Recommendations       []string    `json:"recommendations"`
}

// Tool is the build of the program.
type Tool struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
}

// Host is the machine that ran the load.
type Host struct {
	OS          string `json:"os"`
	Arch        string `json:"arch"`
	Kernel      string `json:"kernel"`
	CPUModel    string `json:"cpu_model"`
	CPUs        int    `json:"cpus"`
	MemoryBytes uint64 `json:"memory_bytes"`
	// CgroupMemoryBytes is the memory limit of the process's control group; nil for none.
	CgroupMemoryBytes *uint64 `json:"cgroup_memory_bytes"`
	GOMAXPROCS        int     `json:"gomaxprocs"`
	// GOMemLimit is the soft memory limit of the Go runtime in bytes; math.MaxInt64 for
	// none.
	GOMemLimit int64 `json:"gomemlimit"`
}

// A Scenario is the result of one scenario.
type Scenario struct {
	Name            string    `json:"name"`
	Title           string    `json:"title"`
	Tags            []string  `json:"tags"`
	Verdict         Verdict   `json:"verdict"`
	Score           float64   `json:"score"`
	StartedAt       time.Time `json:"started_at"`
	DurationSeconds float64   `json:"duration_seconds"`
	// File is the scenario file; "builtin:NAME.yaml" for a built-in scenario.
	File  string `json:"file"`
	Steps []Step `json:"steps"`
}

// Regressed reports whether the comparison with an earlier report found a regression.
func (r Report) Regressed() bool { return r.Regression != nil && r.Regression.Detected }

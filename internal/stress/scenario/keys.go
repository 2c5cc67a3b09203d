package scenario

import (
	"regexp"
	"time"
)

// What a scenario file says is described with the same records as the
// parameters of a measurement, so that reading it, showing it and its schema
// are one mechanism. The keys that need more than a kind are read by hand.
var (
	nameParam        = Param{Name: "name", Kind: Text, Doc: "The scenario's name, in kebab-case and unique."}
	titleParam       = Param{Name: "title", Kind: Text, Doc: "What people read instead of the name, on one line."}
	descriptionParam = Param{Name: "description", Kind: Text, Default: "", Doc: "What the scenario is about."}
	tagsParam        = Param{Name: "tags", Kind: Texts, Default: []string{}, Doc: "What the scenario can be picked by."}
	timeoutParam     = Param{Name: "timeout", Kind: Duration, Default: 60 * time.Second, Min: 1e-3, Doc: "The longest that the whole scenario may take."}
	systemParam      = Param{Name: "system", Kind: Table, Default: Params{}, Doc: "How the runtime is started.", Fields: []Param{
		{Name: "max_agents", Kind: Int, Default: 0, Min: 0, Max: 100e6, Doc: "The limit on live agents; 0 is none."},
		{Name: "mailbox", Kind: Int, Default: 1024, Min: 1, Max: 1 << 24, Doc: "The capacity of an agent's mailbox and of a subscription's queue."},
		{Name: "bus_policy", Kind: Text, Default: "block", Choices: []string{"block", "drop-oldest", "drop-newest", "disconnect"}, Doc: "What a full queue of a subscription does."},
	}}

	stepNameParam  = Param{Name: "name", Kind: Text, Doc: "The step's name, in kebab-case and unique in the scenario; by default the measurement's."}
	repeatParam    = Param{Name: "repeat", Kind: Int, Default: 1, Min: 1, Max: 10000, Doc: "How many times the step is measured, each on a fresh system."}
	baselineParam  = Param{Name: "baseline", Kind: Text, Doc: "The component of the baseline table that the step is held against, or none; by default the measurement's."}
	toleranceParam = Param{Name: "tolerance", Kind: Ratio, Default: 0.2, Min: 0, Max: 10, Doc: "The share by which a baseline may be missed."}

	windowParam = Param{Name: "window", Kind: Duration, Min: SampleInterval.Seconds(), Doc: "The length of the windows in each of which the condition must hold: at least 100ms, the time between two samples."}
	afterParam  = Param{Name: "after", Kind: Duration, Default: time.Duration(0), Doc: "How much of the step's start is left out of the windows."}
	abortParam  = Param{Name: "abort", Kind: Bool, Default: false, Doc: "Whether the step is stopped at the first window that fails."}
)

// defaultSeed is a scenario's seed where its file gives none.
const defaultSeed = 1

// maxWarmup bounds a warm-up that is counted in operations.
const maxWarmup = 1e9

var (
	scenarioKeys  = []string{"name", "title", "description", "tags", "timeout", "seed", "system", "steps"}
	stepKeys      = []string{"measure", "name", "with", "warmup", "repeat", "baseline", "tolerance", "thresholds", "faults"}
	thresholdKeys = []string{"is", "window", "after", "abort"}

	// statistics are those of a distribution that a threshold can be set on.
	statistics = []string{"min", "mean", "stddev", "p50", "p90", "p95", "p99", "p999", "max"}

	kebabCase = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
)

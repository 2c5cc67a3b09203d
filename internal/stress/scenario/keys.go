package scenario

import (
	"regexp"
	"time"
)

// The keys of a scenario file are described by the same records as the parameters of a
// measurement, so one mechanism reads them, shows them and makes their schema. Keys that
// need more than a kind have their own reader.
var (
	nameParam        = Param{Name: "name", Kind: Text, Doc: "Unique name of the scenario, in kebab-case."}
	titleParam       = Param{Name: "title", Kind: Text, Doc: "Title for people, on one line."}
	descriptionParam = Param{Name: "description", Kind: Text, Default: "", Doc: "What the scenario is about."}
	tagsParam        = Param{Name: "tags", Kind: Texts, Default: []string{}, Doc: "Tags to select the scenario by."}
	timeoutParam     = Param{Name: "timeout", Kind: Duration, Default: 60 * time.Second, Min: 1e-3, Doc: "Timeout of the whole scenario."}
	systemParam      = Param{Name: "system", Kind: Table, Default: Params{}, Doc: "How the runtime is started.", Fields: []Param{
		{Name: "max_agents", Kind: Int, Default: 0, Min: 0, Max: 100e6, Doc: "Limit on live agents; 0 for none."},
		{Name: "mailbox", Kind: Int, Default: 1024, Min: 1, Max: 1 << 24, Doc: "Capacity of each agent's mailbox and of each subscription's queue."},
		{Name: "bus_policy", Kind: Text, Default: "block", Choices: []string{"block", "drop-oldest", "drop-newest", "disconnect"}, Doc: "What a subscription does when its queue is full."},
	}}

	stepNameParam  = Param{Name: "name", Kind: Text, Doc: "Name of the step, in kebab-case and unique in the scenario; by default that of the measurement."}
	repeatParam    = Param{Name: "repeat", Kind: Int, Default: 1, Min: 1, Max: 10000, Doc: "Number of repetitions, each on a fresh system."}
	baselineParam  = Param{Name: "baseline", Kind: Text, Doc: "Component of the baseline table that the step is compared with, or none; by default that of the measurement."}
	toleranceParam = Param{Name: "tolerance", Kind: Ratio, Default: 0.2, Min: 0, Max: 10, Doc: "Share by which a baseline can be missed."}

	windowParam = Param{Name: "window", Kind: Duration, Min: SampleInterval.Seconds(), Doc: "Length of the windows. The condition must hold in every window. At least 100ms, the time between two samples."}
	afterParam  = Param{Name: "after", Kind: Duration, Default: time.Duration(0), Doc: "Time at the start of the load that windows leave out."}
	abortParam  = Param{Name: "abort", Kind: Bool, Default: false, Doc: "Whether the step stops at the first window in which the condition fails."}
)

// seedDoc describes the seed, which is not a Param: it can be larger than an Int.
const seedDoc = "Seed of all random choices of the scenario."

// defaultSeed is the seed of a scenario whose file has none.
const defaultSeed = 1

// maxWarmup limits a warm-up that is counted in operations.
const maxWarmup = 1e9

var (
	scenarioKeys  = []string{"name", "title", "description", "tags", "timeout", "seed", "system", "steps"}
	stepKeys      = []string{"measure", "name", "with", "warmup", "repeat", "baseline", "tolerance", "thresholds", "faults"}
	thresholdKeys = []string{"is", "window", "after", "abort"}

	// statistics are the statistics of a distribution that a threshold can be set on.
	statistics = []string{"min", "mean", "stddev", "p50", "p90", "p95", "p99", "p999", "max"}

	kebabCase = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
)

package stress

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"mabeam-top/internal/stress/verdict"
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

	windowParam = Param{Name: "window", Kind: Duration, Min: sampleInterval.Seconds(), Doc: "The length of the windows in each of which the condition must hold: at least 100ms, the time between two samples."}
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

// Parse reads scenario files. Each of their YAML documents is a scenario, with
// every default filled in. The components are the names of the baseline
// table. The error, if any, is of type Problems and tells everything that is
// wrong with any of the documents; there are no scenarios then.
func Parse(cat Catalogue, components []string, documents ...Document) ([]Scenario, error) {
	return parse(reader{catalogue: cat, components: components}, documents)
}

// parse reads each of the documents with a reader like this one.
func parse(like reader, documents []Document) ([]Scenario, error) {
	var scenarios []Scenario
	var problems Problems
	defined := make(map[string]string)
	for _, document := range documents {
		one := like
		one.file = document.File
		r := &one
		read := r.documents
		if r.trusted {
			read = r.parsed
		}
		found := read(document.Source)
		if len(found) == 0 && len(r.problems) == 0 {
			r.add(position{1, 1}, "the file is empty; expected a scenario with name, title and steps")
		}
		for _, n := range found {
			scenario, at := r.scenario(n)
			if first, again := defined[scenario.Name]; again {
				r.add(at, "name: a scenario named %q is there already, at %s; choose another name", scenario.Name, first)
			} else if scenario.Name != "" {
				defined[scenario.Name] = fmt.Sprintf("%s:%d", document.File, at.line)
			}
			scenarios = append(scenarios, scenario)
		}
		problems = append(problems, r.sorted()...)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return scenarios, nil
}

// A reader turns the nodes of one file into scenarios.
type reader struct {
	problemList
	catalogue  Catalogue
	components []string
	// beside says that the step that is read runs beside others.
	beside bool
	// trusted says that this program has written the documents, of a plan that it
	// has checked. With every default filled in they may be larger than a file may
	// be.
	trusted bool
	// steps holds where each step name of the current scenario was given.
	steps map[string]position
}

// scenario reads one document, and returns the position of its name too.
func (r *reader) scenario(n *node) (Scenario, position) {
	s := Scenario{File: r.file, Seed: defaultSeed}
	if !r.isMapping(n, "a scenario with name, title and steps") {
		return s, n.position
	}
	keys := r.keys(n, "a scenario", scenarioKeys)
	r.require(n, keys, "a scenario", "name", "name: my-scenario")
	r.require(n, keys, "a scenario", "title", "title: My scenario")
	r.require(n, keys, "a scenario", "steps", "steps: [{measure: NAME}]")

	s.Name = r.kebab(keys, nameParam)
	s.Title = strings.TrimSpace(read[string](r, keys, titleParam))
	if e, ok := keys["title"]; ok && e.value.shape == text && (s.Title == "" || strings.ContainsAny(s.Title, "\n\t")) {
		r.add(e.value.position, "title: expected a text on one line, not %s", e.value.describe())
	}
	s.Description = strings.TrimSpace(read[string](r, keys, descriptionParam))
	s.Tags = r.tags(keys)
	s.Timeout = read[time.Duration](r, keys, timeoutParam)
	s.Seed = r.seed(keys)
	if system := read[Params](r, keys, systemParam); len(system) == len(systemParam.Fields) {
		s.System = SystemSpec{MaxAgents: system.Int("max_agents"), Mailbox: system.Int("mailbox"), BusPolicy: system.Text("bus_policy")}
	}
	if e, ok := keys["steps"]; ok {
		s.Groups = r.groups(e.value)
	}
	return s, keys["name"].at(n)
}

// at returns where the entry's value is, or where n is if there is no entry.
func (e entry) at(n *node) position {
	if e.value == nil {
		return n.position
	}
	return e.value.position
}

func (r *reader) isMapping(n *node, expected string) bool {
	if n.shape != mapping && n.shape != broken {
		r.add(n.position, "expected %s, not %s", expected, n.describe())
	}
	return n.shape == mapping
}

func (r *reader) require(n *node, keys map[string]entry, noun, key, example string) {
	if _, ok := keys[key]; !ok {
		r.add(n.position, "%s needs %q; add for example \"%s\"", noun, key, example)
	}
}

// read returns the value of a key, its default if it is left out, and T's
// zero value after a fault.
func read[T any](r *reader, keys map[string]entry, p Param) T {
	var v any
	if e, ok := keys[p.Name]; ok {
		v, _ = r.value(p, e.value)
	} else if p.Default != nil {
		v = complete(p, p.Default)
	}
	t, _ := v.(T)
	return t
}

// kebab reads a name. It returns "" if there is none or it is not one.
func (r *reader) kebab(keys map[string]entry, p Param) string {
	name := read[string](r, keys, p)
	if e, ok := keys[p.Name]; ok && e.value.shape == text && !kebabCase.MatchString(name) {
		r.add(e.value.position, "%s: expected kebab-case (a-z, 0-9 and single hyphens) such as event-storm, not %s", p.Name, e.value.describe())
		return ""
	}
	return name
}

func (r *reader) tags(keys map[string]entry) []string {
	tags := read[[]string](r, keys, tagsParam)
	for i, tag := range tags {
		if strings.TrimFunc(tag, unicode.IsSpace) != tag || tag == "" || strings.ContainsAny(tag, ",\n") || slices.Contains(tags[:i], tag) {
			r.add(keys["tags"].value.position, "tags: %q is empty, there twice, or has a comma or blanks around it", tag)
		}
	}
	return tags
}

// seed is read by hand because it may be larger than an Int.
func (r *reader) seed(keys map[string]entry) uint64 {
	e, ok := keys["seed"]
	if !ok {
		return defaultSeed
	}
	seed, err := strconv.ParseUint(e.value.text, 10, 64)
	if e.value.shape != broken && (e.value.shape != integer || err != nil) {
		r.add(e.value.position, "seed: expected a whole number from 0 to 2^64-1 such as 42, not %s", e.value.describe())
	}
	return seed
}

// groups reads the steps of a scenario.
func (r *reader) groups(n *node) []Group {
	r.steps = make(map[string]position)
	var groups []Group
	for _, item := range r.stepList("steps", n) {
		if item.shape == mapping && slices.ContainsFunc(item.entries, func(e entry) bool { return e.key == "parallel" }) {
			e := r.keys(item, "a parallel group", []string{"parallel"})["parallel"]
			var group Group
			members := r.stepList("parallel", e.value)
			r.beside = len(members) > 1
			for _, member := range members {
				step := r.step(member)
				if m := step.Measurement; m != nil && m.Alone && len(members) > 1 {
					r.add(member.position, "%s counts what the whole system holds, so it cannot run beside other steps; move it out of the parallel group", m.Name)
				}
				group = append(group, step)
			}
			r.beside = false
			groups = append(groups, group)
			continue
		}
		groups = append(groups, Group{r.step(item)})
	}
	r.nameSteps(groups)
	return groups
}

// stepList returns the items of a list of steps that must not be empty.
func (r *reader) stepList(key string, n *node) []*node {
	if n.shape != broken && len(n.items) == 0 {
		r.add(n.position, "%s: expected a list of steps such as [{measure: NAME}], not %s", key, n.describe())
	}
	return n.items
}

// nameSteps gives the steps without a name their measurement's, and a number
// where that is taken.
func (r *reader) nameSteps(groups []Group) {
	for _, group := range groups {
		for i := range group {
			step := &group[i]
			if step.Name != "" || step.Measurement == nil {
				continue
			}
			name := step.Measurement.Name
			for n := 2; ; n++ {
				if _, taken := r.steps[name]; !taken {
					break
				}
				name = fmt.Sprintf("%s-%d", step.Measurement.Name, n)
			}
			step.Name, r.steps[name] = name, position{}
		}
	}
}

func (r *reader) step(n *node) Step {
	var s Step
	if !r.isMapping(n, "a step such as {measure: agent-creation}") {
		return s
	}
	keys := r.keys(n, "a step", stepKeys)
	r.require(n, keys, "a step", "measure", "measure: NAME")
	if s.Name = r.kebab(keys, stepNameParam); s.Name != "" {
		at := keys["name"].value.position
		if first, again := r.steps[s.Name]; again {
			r.add(at, "name: a step named %q is there already, on line %d; choose another name", s.Name, first.line)
		} else {
			r.steps[s.Name] = at
		}
	}
	s.Repeat = read[int](r, keys, repeatParam)
	s.Tolerance = read[float64](r, keys, toleranceParam)
	s.Warmup = r.warmup(keys)
	s.Measurement = r.measurement(keys)
	faults := r.injections(s.Measurement, keys)
	for _, f := range faults {
		s.Faults = append(s.Faults, f.Injection)
	}
	if s.Measurement == nil {
		return s
	}
	fit := false
	s.Params, fit = r.with(s.Measurement, keys)
	s.Component = r.baseline(s.Measurement, keys)
	thresholds := r.thresholds(s.Measurement, keys)
	for _, t := range thresholds {
		s.Thresholds = append(s.Thresholds, t.Threshold)
	}
	if fit && !r.trusted {
		r.inTime(s, faults, thresholds)
	}
	return s
}

// inTime tells of the faults and thresholds for which the load of a step does not
// last long enough.
func (r *reader) inTime(s Step, faults []givenFault, thresholds []givenThreshold) {
	for _, f := range faults {
		if why := s.tooLate(f.Injection); why != "" {
			r.add(f.from, "faults: %s", why)
		}
	}
	for _, t := range thresholds {
		if why := s.noWindow(t.Threshold); why != "" {
			r.add(t.window, "%s: %s", t.Metric, why)
		}
	}
}

// measurement returns nil if the step names none that is known.
func (r *reader) measurement(keys map[string]entry) *Measurement {
	e, ok := keys["measure"]
	if !ok || e.value.shape == broken {
		return nil
	}
	m := r.catalogue.Find(e.value.text)
	if m == nil {
		known := make([]string, len(r.catalogue))
		for i, m := range r.catalogue {
			known[i] = m.Name
		}
		if e.value.shape == text {
			r.add(e.value.position, "measure: unknown measurement %q%s", shorten(e.value.text), didYouMean(e.value.text, known))
		} else {
			r.add(e.value.position, "measure: expected the name of a measurement, not %s", e.value.describe())
		}
	}
	return m
}

// with reads the parameters of a measurement, and returns false after a problem.
func (r *reader) with(m *Measurement, keys map[string]entry) (Params, bool) {
	e, given := keys["with"]
	at := e.at(keys["measure"].value)
	block := &node{shape: mapping, position: at}
	if given {
		if block = e.value; block.shape != mapping {
			if block.shape != broken {
				r.add(at, "with: expected a mapping of parameters such as {NAME: VALUE}, not %s", block.describe())
			}
			return nil, false
		}
	}
	params, ok := r.table(block, m.Name, m.Params)
	if ok && m.Check != nil {
		if err := m.Check(params); err != nil {
			r.add(at, "with: %v", err)
			ok = false
		}
	}
	return params, ok
}

// warmup reads a duration or a count of operations.
func (r *reader) warmup(keys map[string]entry) Warmup {
	e, ok := keys["warmup"]
	if !ok || e.value.shape == broken {
		return Warmup{}
	}
	if v, ok := parseScalar(Duration, e.value); ok {
		return Warmup{For: v.(time.Duration)}
	}
	operations, ok := parseScalar(Int, e.value)
	if n, _ := operations.(int); ok && n >= 0 && n <= maxWarmup {
		return Warmup{Operations: n}
	}
	r.add(e.value.position, "warmup: expected a duration such as 1s, or a number of operations from 0 to %s, not %s", formatNumber(maxWarmup), e.value.describe())
	return Warmup{}
}

func (r *reader) baseline(m *Measurement, keys map[string]entry) string {
	e, ok := keys["baseline"]
	if !ok {
		return m.Component
	}
	component := read[string](r, keys, baselineParam)
	switch {
	case component == none:
		return ""
	case e.value.shape == text && !slices.Contains(r.components, component):
		r.add(e.value.position, "baseline: unknown component %q%s", shorten(component), didYouMean(component, append([]string{none}, r.components...)))
	}
	return component
}

// A givenThreshold is a threshold of a file, and where its window is given.
type givenThreshold struct {
	verdict.Threshold
	window position
}

func (r *reader) thresholds(m *Measurement, keys map[string]entry) []givenThreshold {
	e, ok := keys["thresholds"]
	if !ok || !r.isMapping(e.value, `a mapping of thresholds such as {METRIC: "< 5"}`) {
		return nil
	}
	metrics := make([]string, len(e.value.entries))
	for i, metric := range e.value.entries {
		metrics[i] = metric.key
	}
	kept := r.keys(e.value, "thresholds", metrics)
	var thresholds []givenThreshold
	for _, given := range e.value.entries {
		if kept[given.key].position != given.position {
			continue // there twice, which was told
		}
		metric, err := m.metric(given.key)
		if err != nil {
			r.add(given.position, "thresholds: %v", err)
			continue
		}
		thresholds = append(thresholds, r.threshold(metric, given))
	}
	return thresholds
}

// threshold reads a condition, or one with a window.
func (r *reader) threshold(metric Metric, given entry) givenThreshold {
	t := givenThreshold{Threshold: verdict.Threshold{Metric: given.key}}
	if given.value.shape != mapping {
		t.Condition = r.condition(metric, given.key, given.value)
		return t
	}
	keys := r.keys(given.value, "a threshold", thresholdKeys)
	r.require(given.value, keys, "a threshold", "is", `is: '< 5'`)
	if is, ok := keys["is"]; ok {
		t.Condition = r.condition(metric, given.key, is.value)
	}
	t.Window = read[time.Duration](r, keys, windowParam)
	t.After = read[time.Duration](r, keys, afterParam)
	t.Abort = read[bool](r, keys, abortParam)
	window, windowed := keys["window"]
	if windowed {
		t.window = window.value.position
	}
	for _, key := range []string{"after", "abort"} {
		if e, ok := keys[key]; ok && !windowed {
			r.add(e.position, "%s: %s needs a window; add for example \"window: 1s\"", given.key, key)
		}
	}
	probe := metric.shownBy(given.key)
	if windowed && r.beside && probe != "" && metric.Probe != medianLatency && !slices.Contains(ownProbes, probe) {
		r.add(window.position, "%s: beside other steps it cannot be told whose it is; leave the window out", given.key)
	}
	if windowed && probe == "" {
		r.add(window.position, "%s: it cannot be watched while the step runs; leave the window out", given.key)
	}
	return t
}

func (r *reader) condition(metric Metric, name string, n *node) verdict.Condition {
	if n.shape == broken {
		return verdict.Condition{}
	}
	if n.shape != text {
		r.add(n.position, `%s: expected a condition such as "< 5" or ">= 95000", not %s`, name, n.describe())
		return verdict.Condition{}
	}
	condition, err := verdict.ParseCondition(n.text)
	switch {
	case err != nil:
		r.add(n.position, "%s: %v%s", name, err, unitHint(metric))
	case strings.Contains(n.text, "%") && metric.Unit != "ratio":
		r.add(n.position, "%s: %q is a share%s; write the limit without the %%", name, n.text, unitHint(metric))
	default:
		if why := metric.never(condition); why != "" {
			r.add(n.position, "%s: %q can never hold: %s", name, n.text, why)
		}
	}
	return condition
}

// unitHint ends a message about a limit with the unit that it has to be in.
func unitHint(m Metric) string {
	switch m.Unit {
	case "ratio", "count", "bool", "exponent":
		return fmt.Sprintf("; %s is a %s", m.Name, m.Unit)
	}
	return fmt.Sprintf("; %s is in %s", m.Name, m.Unit)
}

// metric finds what NAME, NAME.STAT or NAME.KEY means.
func (m *Measurement) metric(name string) (Metric, error) {
	known := make([]string, len(m.Metrics))
	for i, metric := range m.Metrics {
		known[i] = metric.Name
	}
	base, part, dotted := strings.Cut(name, ".")
	i := slices.Index(known, base)
	if i < 0 {
		return Metric{}, fmt.Errorf("unknown metric %q of %s%s", shorten(name), m.Name, didYouMean(base, known))
	}
	metric := m.Metrics[i]
	switch {
	case metric.Unit == "text":
		return Metric{}, fmt.Errorf("%s is a text; a threshold needs a number", base)
	case !dotted, metric.Keyed && part != "":
		return metric, nil
	case !metric.Distribution:
		return Metric{}, fmt.Errorf("%s is one number and has no %q; set the threshold on %s itself", base, part, base)
	case !slices.Contains(statistics, part):
		return Metric{}, fmt.Errorf("unknown statistic %q of %s; expected one of %s", part, base, strings.Join(statistics, ", "))
	}
	return metric, nil
}

package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Parse reads scenario files. Each YAML document is a scenario; Parse fills in every
// default. Components are the components of the baseline table. The error, if any, is of
// type Problems and has everything that is wrong with any of the documents; Parse returns
// no scenarios then.
func Parse(cat Catalogue, components []string, documents ...Document) ([]Scenario, error) {
	var scenarios []Scenario
	var problems Problems
	defined := make(map[string]string)
	for _, document := range documents {
		r := &reader{problemList: problemList{file: document.File}, catalogue: cat, components: components}
		found := r.documents(document.Source)
		if len(found) == 0 && len(r.problems) == 0 {
			r.add(position{1, 1}, "the file is empty; expected a scenario with name, title and steps")
		}
		for _, n := range found {
			scenario, at := r.scenario(n)
			if first, again := defined[scenario.Name]; again {
				r.add(at, "name: the scenario %q already exists, at %s; choose another name", scenario.Name, first)
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
	// parallel says that the current step runs in parallel with others.
	parallel bool
	// steps has the position of each step name of the current scenario.
	steps map[string]position
}

// scenario reads one document. It also returns the position of its name.
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
		s.System = System{MaxAgents: system.Int("max_agents"), Mailbox: system.Int("mailbox"), BusPolicy: system.Text("bus_policy")}
	}
	if e, ok := keys["steps"]; ok {
		s.Groups = r.groups(e.value)
	}
	return s, keys["name"].at(n)
}

// at returns the position of the value of the entry, or that of n if there is no entry.
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

// read returns the value of a key, its default if it is missing, and the zero value of T
// after a problem.
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

// kebab reads a name in kebab-case. It returns "" if it is missing or invalid.
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
			r.add(keys["tags"].value.position, "tags: %q is empty, a duplicate, or has a comma or surrounding blanks; fix or remove it", tag)
		}
	}
	return tags
}

// seed reads the seed, which can be larger than an Int.
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
			r.parallel = len(members) > 1
			for _, member := range members {
				step := r.step(member)
				if m := step.Measurement; m != nil && m.Alone && len(members) > 1 {
					r.add(member.position, "%s counts what the whole system holds and cannot run in parallel with other steps; move it out of the group", m.Name)
				}
				group = append(group, step)
			}
			r.parallel = false
			groups = append(groups, group)
			continue
		}
		groups = append(groups, Group{r.step(item)})
	}
	r.nameSteps(groups)
	return groups
}

// stepList returns the items of a list of steps, which must not be empty.
func (r *reader) stepList(key string, n *node) []*node {
	if n.shape != broken && len(n.items) == 0 {
		r.add(n.position, "%s: expected a list of steps such as [{measure: NAME}], not %s", key, n.describe())
	}
	return n.items
}

// nameSteps gives each step without a name that of its measurement, with a number if the
// name is taken.
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

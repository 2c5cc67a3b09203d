package session

import (
	"errors"
	"os"
	"slices"
	"strings"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/check"
)

// A Past is a stored run, or the recording of one that has no report.
type Past struct {
	report.Run
	// Names lists its scenarios.
	Names string
	// Metrics are its numeric metrics.
	Metrics map[MetricKey]Metric
}

// ID identifies the run among the stored ones.
func (p Past) ID() string { return p.Path + p.Recording }

// Unfinished reports whether there is only a recording and no report.
func (p Past) Unfinished() bool { return p.Path == "" }

// Words are the texts that a filter searches.
func (p Past) Words() []string {
	words := []string{p.Names, string(p.Verdict), p.StartedAt.Local().Format("2006-01-02 15:04")}
	for _, s := range p.Scenarios {
		words = append(words, s.Title)
	}
	if p.Recording != "" {
		words = append(words, "recording")
	}
	return words
}

// Recorded describes the files of the run.
func (p Past) Recorded() string {
	switch {
	case p.Unfinished():
		return "the recording"
	case p.Recording != "":
		return "the report and the recording"
	default:
		return "the report"
	}
}

// A MetricKey locates a metric in a report.
type MetricKey struct{ Scenario, Step, Metric string }

// A Metric is a numeric result of a run.
type Metric struct {
	Value  float64
	Unit   string
	Status report.Status
	// Word is the status in capitals.
	Word     string
	Baseline *float64
	Floor    *report.Floor
}

func metricsOf(r report.Report) map[MetricKey]Metric {
	metrics := map[MetricKey]Metric{}
	for _, sc := range r.Scenarios {
		for _, step := range sc.Steps {
			for name, m := range step.Metrics {
				if v, ok := m.Value.(float64); ok {
					metrics[MetricKey{sc.Name, step.Name, name}] = Metric{v, m.Unit, m.Status, check.StatusWord(m), m.Baseline, m.Floor}
				}
			}
		}
	}
	return metrics
}

// ReadPast reads all stored runs, newest first. The warnings are about runs that
// cannot be read.
func ReadPast(store report.Store) (all []Past, warnings []error, err error) {
	list, warnings, err := store.List()
	if err != nil {
		return nil, nil, err
	}
	for _, run := range list {
		r, err := report.Load(run.Path)
		if errors.Is(err, os.ErrNotExist) {
			continue // another process has deleted it
		} else if err != nil {
			warnings = append(warnings, err)
			continue
		}
		all = append(all, Past{Run: run, Names: scenarioNames(run), Metrics: metricsOf(r)})
	}
	recordings, err := store.Orphans()
	if err != nil {
		return nil, nil, err
	}
	for _, file := range recordings {
		all = append(all, unfinished(file))
	}
	slices.SortStableFunc(all, func(a, b Past) int { return b.StartedAt.Compare(a.StartedAt) })
	return all, warnings, nil
}

// unfinished is the past run of a recording without a report.
func unfinished(file report.RecordingFile) Past {
	p := Past{Run: report.Run{StartedAt: file.StartedAt, Recording: file.Path}, Names: "a recording without a report"}
	run := firstEvent(file.Path)
	if run == nil {
		return p
	}
	p.Names = strings.Join(run.Scenarios, ", ")
	for _, name := range run.Scenarios {
		p.Scenarios = append(p.Scenarios, report.RunScenario{Name: name})
	}
	return p
}

// firstEvent returns the run that a recording begins with; nil if it cannot be
// read.
func firstEvent(path string) *stream.Run {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	e, err := stream.NewReader(file).Read()
	if err := errors.Join(err, file.Close()); err != nil {
		return nil
	}
	return e.Run
}

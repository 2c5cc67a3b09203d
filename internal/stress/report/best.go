package report

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"mabeam-top/internal/atomicfile"
)

// bestSchema names the version of the file of best figures.
const bestSchema = "mabeam-top/best/v1"

// Best keeps the best figure of each metric that has a floor, for each kind of machine.
// A figure is told relative to its floor, so that a slow day of a machine can be
// compared with a fast one. The zero value has none.
type Best struct {
	// machines are the figures by the kind of machine, and for each by the metric: how
	// many times better than its floor it was.
	machines map[string]map[string]float64
}

// A bestFile is how the figures are stored.
type bestFile struct {
	Schema   string                        `json:"schema"`
	Machines map[string]map[string]float64 `json:"machines"`
}

// DefaultBestFile returns the file of the best figures in the user's state folder.
func DefaultBestFile() (string, error) {
	store, err := DefaultStore()
	if err != nil {
		return "", err
	}
	return filepath.Join(filepath.Dir(store.Dir), "best.json"), nil
}

// LoadBest reads the best figures. A file that is not there has none. The error for a
// file that cannot be read is a warning: the figures are none then too.
func LoadBest(path string) (Best, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Best{}, nil
	}
	var file bestFile
	if err == nil {
		err = json.Unmarshal(data, &file)
	}
	if err == nil && file.Schema != bestSchema {
		err = fmt.Errorf("its schema is %q, not %q", file.Schema, bestSchema)
	}
	if err != nil {
		return Best{}, fmt.Errorf("the best figures kept in %s cannot be read, and are ignored: %w", path, err)
	}
	return Best{file.Machines}, nil
}

// Save writes the figures, whole or not at all.
func (b Best) Save(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make the folder of the best figures: %w", err)
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		return json.NewEncoder(w).Encode(bestFile{bestSchema, OrEmptyMap(b.machines)})
	})
}

// Of returns the best figures of a step's metrics on a machine, by name; those of a
// step of the same name with other parameters are not among them.
func (b Best) Figures(h Host, scenario string, step Step) map[string]float64 {
	best := map[string]float64{}
	for name := range step.Metrics {
		if v, ok := b.machines[kindOf(h)][bestKey(scenario, step, name)]; ok {
			best[name] = v
		}
	}
	return best
}

// With returns the figures and those of a report that are better, and whether there are
// any. Only runs that passed count.
func (b Best) With(r Report) (Best, bool) {
	if r.Verdict != Pass {
		return b, false
	}
	better := false
	kind := kindOf(r.Host)
	of := maps.Clone(b.machines[kind])
	if of == nil {
		of = map[string]float64{}
	}
	for _, s := range r.Scenarios {
		for _, step := range s.Steps {
			for name, m := range step.Metrics {
				if v, ok := m.FloorRatio(); ok {
					key := bestKey(s.Name, step, name)
					better = better || v > of[key]
					of[key] = max(of[key], v)
				}
			}
		}
	}
	machines := maps.Clone(OrEmptyMap(b.machines))
	machines[kind] = of
	return Best{machines}, better
}

// OverFloor is how many times better than its floor the metric is; false if it has
// none, or no such number.
func (m Metric) FloorRatio() (float64, bool) {
	v, ok := m.Value.(float64)
	if !ok || m.Floor == nil || v <= 0 || m.Floor.Value <= 0 {
		return 0, false
	}
	over := v / m.Floor.Value
	if m.Better == Lower {
		over = m.Floor.Value / v
	}
	return over, Finite(over)
}

// kindOf names a kind of machine.
func kindOf(h Host) string {
	return fmt.Sprintf("%s, %s, %d CPUs, GOMAXPROCS %d", h.CPUModel, h.Arch, h.CPUs, h.GOMAXPROCS)
}

// bestKey names a metric of a step with its parameters and of a floor.
func bestKey(scenario string, step Step, metric string) string {
	params, err := MarshalUnescaped(step.Params)
	if err != nil {
		return "" // of no step that was read or written
	}
	asked := sha256.Sum256(append([]byte(step.Measurement), params...))
	return strings.Join([]string{scenario, step.Name, metric, hex.EncodeToString(asked[:6])}, "/")
}

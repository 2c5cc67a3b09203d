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

// bestSchema is the version of the file of best values.
const bestSchema = "mabeam-top/best/v1"

// Best holds the best value of each metric with a floor, for each kind of machine. Values
// are relative to the floor, so that slow and fast days of a machine compare. The zero
// value has none.
type Best struct {
	// machines maps the kind of machine and the metric to the best FloorRatio.
	machines map[string]map[string]float64
}

// A bestFile is the file of best values.
type bestFile struct {
	Schema   string                        `json:"schema"`
	Machines map[string]map[string]float64 `json:"machines"`
}

// DefaultBestFile returns the file of best values in the user's state folder.
func DefaultBestFile() (string, error) {
	store, err := DefaultStore()
	if err != nil {
		return "", err
	}
	return filepath.Join(filepath.Dir(store.Dir), "best.json"), nil
}

// LoadBest reads the best values; none if there is no such file. If it cannot read the
// file, it returns no values and an error that is only a warning.
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
		err = fmt.Errorf("unknown schema %q; this program reads %q", file.Schema, bestSchema)
	}
	if err != nil {
		return Best{}, fmt.Errorf("read best values %s: %w (ignored)", path, err)
	}
	return Best{file.Machines}, nil
}

// Save writes the values.
func (b Best) Save(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("create the folder of the best values: %w", err)
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		return json.NewEncoder(w).Encode(bestFile{bestSchema, OrEmptyMap(b.machines)})
	})
}

// Figures returns the best values of a step's metrics on a machine, by their names. A step
// with other parameters has other values.
func (b Best) Figures(h Host, scenario string, step Step) map[string]float64 {
	best := map[string]float64{}
	for name := range step.Metrics {
		if v, ok := b.machines[machineKind(h)][bestKey(scenario, step, name)]; ok {
			best[name] = v
		}
	}
	return best
}

// With adds the better values of a report, and reports whether there are any. Only a run
// that passed has any.
func (b Best) With(r Report) (Best, bool) {
	if r.Verdict != Pass {
		return b, false
	}
	better := false
	kind := machineKind(r.Host)
	values := maps.Clone(OrEmptyMap(b.machines[kind]))
	for _, s := range r.Scenarios {
		for _, step := range s.Steps {
			for name, m := range step.Metrics {
				if v, ok := m.FloorRatio(); ok {
					key := bestKey(s.Name, step, name)
					better = better || v > values[key]
					values[key] = max(values[key], v)
				}
			}
		}
	}
	machines := maps.Clone(OrEmptyMap(b.machines))
	machines[kind] = values
	return Best{machines}, better
}

func machineKind(h Host) string {
	return fmt.Sprintf("%s, %s, %d CPUs, GOMAXPROCS %d", h.CPUModel, h.Arch, h.CPUs, h.GOMAXPROCS)
}

// bestKey identifies a metric of a step with these parameters.
func bestKey(scenario string, step Step, metric string) string {
	params, err := MarshalUnescaped(step.Params)
	if err != nil {
		return "" // never for a step that was read or written
	}
	hash := sha256.Sum256(append([]byte(step.Measurement), params...))
	return strings.Join([]string{scenario, step.Name, metric, hex.EncodeToString(hash[:6])}, "/")
}

package stress

import (
	"time"

	"mabeam-top/internal/stress/report"
)

// faultsInTime tells of the faults of a step that begin when its load is over: they
// would never be injected. Of a load that ends with its operations nobody knows when
// that is.
func (r *reader) faultsInTime(m *Measurement, params Params, keys map[string]entry) {
	e, given := keys["faults"]
	if r.overridden || !given || m.LoadLength == nil {
		return
	}
	length := m.LoadLength(params)
	for _, fault := range e.value.items {
		for _, key := range fault.entries {
			if key.key != faultFrom.Name {
				continue
			}
			v, _ := parseScalar(Duration, key.value)
			if from, ok := v.(time.Duration); ok && length > 0 && from >= length {
				r.add(key.value.position, "faults: it is to begin at %s, but the load ends after %s, so nothing would be injected; let it begin earlier, or the load last longer",
					report.Quantity(from.Seconds(), "s"), report.Quantity(length.Seconds(), "s"))
			}
		}
	}
}

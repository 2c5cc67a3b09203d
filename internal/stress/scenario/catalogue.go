package scenario

// A Catalogue is a list of measurements.
type Catalogue []*Measurement

// Find returns the measurement of that name, or nil.
func (c Catalogue) Find(name string) *Measurement {
	for _, m := range c {
		if m.Name == name {
			return m
		}
	}
	return nil
}

package scenario

import "errors"

// LoadParams are the parameters of a measurement whose load can be closed or
// open.
func LoadParams() []Param {
	return []Param{
		{Name: "concurrency", Kind: Int, Default: 1, Min: 1, Max: 10_000, Doc: "Operations under way at once; an open load has room for at least 64."},
		{Name: "rate", Kind: Rate, Min: 1, Max: 1e7, Doc: "Makes the load an open one: operations are due at this rate, whatever the answers. Needs duration."},
		{Name: "stages", Kind: Stages, Doc: "Makes the load an open one whose rate changes."},
		{Name: "duration", Kind: Duration, Min: 0.001, Max: 3600, Doc: "How long the load lasts. A closed load without it ends after its number of operations."},
	}
}

// CheckLoad tells what is wrong with the load that the parameters describe.
func CheckLoad(p Params) error {
	switch {
	case p.Has("rate") && p.Has("stages"):
		return errors.New("rate and stages cannot both be given: stages have rates of their own")
	case p.Has("rate") && !p.Has("duration"):
		return errors.New("an open load needs a duration besides its rate")
	case p.Has("stages") && p.Has("duration"):
		return errors.New("duration cannot be given with stages, which have durations of their own")
	}
	return nil
}

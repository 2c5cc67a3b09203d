package scenario

import "errors"

// LoadParams returns the parameters of a measurement whose load can be closed or open.
func LoadParams() []Param {
	return []Param{
		{Name: "concurrency", Kind: Int, Default: 1, Min: 1, Max: 10_000, Doc: "Operations in flight at once; an open load allows at least 64."},
		{Name: "rate", Kind: Rate, Min: 1, Max: 1e7, Doc: "Makes the load open: operations are due at this rate, whether or not earlier ones have ended. Needs duration."},
		{Name: "stages", Kind: Stages, Doc: "Makes the load open, with a rate that changes."},
		{Name: "duration", Kind: Duration, Min: 0.001, Max: 3600, Doc: "Length of the load. A closed load without it ends after its number of operations."},
	}
}

// CheckLoad returns what is wrong with the load that the parameters describe.
func CheckLoad(p Params) error {
	switch {
	case p.Has("rate") && p.Has("stages"):
		return errors.New("rate cannot be combined with stages, which have their own rates; remove one of them")
	case p.Has("rate") && !p.Has("duration"):
		return errors.New("rate needs a duration; add for example \"duration: 5s\"")
	case p.Has("stages") && p.Has("duration"):
		return errors.New("duration cannot be combined with stages, which have their own durations; remove one of them")
	}
	return nil
}

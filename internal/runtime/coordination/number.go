package coordination

import (
	"fmt"
	"math"
	"reflect"

	mabeam "mabeam-top/internal/runtime"
)

// nobody is the position of no agent among answers.
const nobody = -1

// highest returns the position of the highest number among the answers but one, which may
// be that of nobody, or nobody if there is none; of two equal ones it is that of the smaller
// id. Answers that are not numbers get a reason why they do not count.
func highest(answers mabeam.Answers, action string, but int) (best int, number float64) {
	best = nobody
	for i := range answers {
		a := &answers[i]
		if a.Err != nil || i == but {
			continue
		}
		n, err := numberOf(a.Value)
		if err != nil {
			a.Err = &mabeam.ActionError{Agent: a.Agent, Action: action, Err: err}
			continue
		}
		if best == nobody || n > number || n == number && a.Agent < answers[best].Agent {
			best, number = i, n
		}
	}
	return best, number
}

// numberOf reads a number of any of Go's integer and floating-point types.
func numberOf(value any) (float64, error) {
	if value == nil {
		return 0, ErrDeclined
	}
	n, ok := toFloat(reflect.ValueOf(value))
	if !ok || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, fmt.Errorf("%w: want a number, got %v", ErrBadAnswer, value)
	}
	return n, nil
}

func toFloat(v reflect.Value) (n float64, ok bool) {
	switch {
	case v.CanInt():
		return float64(v.Int()), true
	case v.CanUint():
		return float64(v.Uint()), true
	case v.CanFloat():
		return v.Float(), true
	}
	return 0, false
}

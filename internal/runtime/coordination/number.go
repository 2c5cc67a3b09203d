package coordination

import (
	"fmt"
	"math"
	"reflect"

	mabeam "mabeam-top/internal/runtime"
)

// highest returns the position of the highest number among the answers, or -1
// if there is none; of two equal ones it is that of the smaller id. Answers
// that are not numbers get a reason why they do not count.
func highest(answers mabeam.Answers, action string) (winner int, best float64) {
	winner = -1
	for i := range answers {
		a := &answers[i]
		if a.Err != nil {
			continue
		}
		n, err := numberOf(a.Value)
		if err != nil {
			a.Err = &mabeam.ActionError{Agent: a.Agent, Action: action, Err: err}
			continue
		}
		if winner < 0 || n > best || n == best && a.Agent < answers[winner].Agent {
			winner, best = i, n
		}
	}
	return winner, best
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

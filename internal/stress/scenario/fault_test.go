package scenario

import (
	"testing"
	"time"
)

func TestFaultPlanned(t *testing.T) {
	for _, c := range []struct {
		often any
		from  time.Duration
		until any
		want  int
		known bool
	}{
		{5, time.Second, nil, 5, true},
		{10.0, time.Second, 4 * time.Second, 30, true},
		{1000.0, time.Duration(0), 24 * time.Hour, 86_400_000, true},
		{0.001, time.Duration(0), time.Second, 1, true},
		{10.0, time.Second, nil, 0, false},
	} {
		f := Fault{Kind: "garbage", Params: Params{"garbage": c.often, "from": c.from, "until": c.until}}
		if n, ok := f.Planned(); n != c.want || ok != c.known {
			t.Errorf("%v from %v until %v: %d, %v", c.often, c.from, c.until, n, ok)
		}
	}
}

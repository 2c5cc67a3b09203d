package conformance

import (
	"testing"

	mabeam "mabeam-top/internal/runtime"
)

func TestCompareListing(t *testing.T) {
	a, b, other := mabeam.Record{ID: "a"}.Entry(), mabeam.Record{ID: "b"}.Entry(), mabeam.Record{ID: "c"}.Entry()
	for _, c := range []struct {
		listed           []mabeam.Entry
		missing, strange int64
	}{
		{[]mabeam.Entry{a, b}, 0, 0},
		{[]mabeam.Entry{a}, 1, 0},
		{[]mabeam.Entry{a, b, b}, 0, 1},
		{[]mabeam.Entry{a, other}, 1, 1},
	} {
		if missing, strange := compareListing(c.listed, []string{"a", "b"}); missing != c.missing || strange != c.strange {
			t.Errorf("%d entries: %d missing and %d strange, want %d and %d", len(c.listed), missing, strange, c.missing, c.strange)
		}
	}
}

// A registration without an agent and an agent without a registration are detected.
func TestWrongListings(t *testing.T) {
	system := startTestSystem(t, mabeam.Options{})
	if err := system.Registry().Register(mabeam.Record{ID: "stranger", Type: "t", Capabilities: []string{"c"}}); err != nil {
		t.Fatal(err)
	}
	var r results
	c := NewChecker(&r, "registration_errors")
	LiveAgents{"gone": {Type: "t", Capabilities: []string{"c"}}}.Check(c, system)
	c.Report()
	// One lookup, one missing and one strange entry by type and by capability, one missing
	// by node (the stranger has none), and one missing and one strange in the list of all.
	r.want(t, "registration_errors", 1+2+2+1+2)
}

package main

import (
	"io"
	"slices"
	"strings"
	"testing"

	"mabeam-top/internal/ui/session"
)

// The report of a run that was started in the UI has a command line that starts the same
// run.
func TestCommandOf(t *testing.T) {
	for _, test := range []struct {
		args  string
		order session.Order
		want  string
	}{
		{"", session.Order{Scenarios: []string{"burst"}}, "mabeam-top burst"},
		{"burst --tag chaos", session.Order{Scenarios: []string{"soak", "burst"}}, "mabeam-top --tag chaos soak burst"},
		{
			"--ascii -f a.yaml --file b.yaml --quiet=false --repeat 3",
			session.Order{Scenarios: []string{"burst"}, Settings: map[string]session.Settings{
				"burst": {"seed": "7", "storm.rate": "9/s"}, "soak": {"seed": "8"},
			}},
			"mabeam-top --file a.yaml --file b.yaml --repeat 3 --quiet=false --ascii burst --seed 7 --set storm.rate=9/s",
		},
	} {
		a := &app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard}
		root := a.rootCommand()
		if err := root.ParseFlags(strings.Fields(test.args)); err != nil {
			t.Fatal(err)
		}
		a.given = given(root.Flags())
		r := &runner{app: a}
		if got := strings.Join(r.commandOf(test.order), " "); !sameWords(got, test.want) {
			t.Errorf("%q: got %q, want %q", test.args, got, test.want)
		}
	}
}

// sameWords reports whether two command lines have the same words in any order.
func sameWords(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

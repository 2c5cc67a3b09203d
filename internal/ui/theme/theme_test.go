package theme

import (
	"bytes"
	"strings"
	"testing"
)

func TestColor(t *testing.T) {
	for _, test := range []struct {
		color, noColor string
		want           bool
	}{
		{"always", "", true},
		{"always", "1", true},
		{"never", "", false},
		{"auto", "", false}, // what is written to is no terminal
		{"", "1", false},
	} {
		t.Setenv("NO_COLOR", test.noColor)
		s := All(&bytes.Buffer{}, test.color, false)[0]
		if got := strings.Contains(s.Verdict("FAIL"), "\x1b["); got != test.want || s.Colorless == test.want {
			t.Errorf("color %q, NO_COLOR %q: coloured %v, want %v", test.color, test.noColor, got, test.want)
		}
	}
}

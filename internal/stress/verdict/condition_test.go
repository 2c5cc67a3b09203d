package verdict

import (
	"math"
	"testing"
)

func TestParseCondition(t *testing.T) {
	tests := map[string]struct {
		want  Condition
		shown string
	}{
		"< 5":               {Condition{"<", 5}, "< 5"},
		">= 95000":          {Condition{">=", 95000}, ">= 95000"},
		"<= 20%":            {Condition{"<=", 0.2}, "<= 0.2"},
		"<= 7%":             {Condition{"<=", 0.07}, "<= 0.07"},
		">1000000":          {Condition{">", 1e6}, "> 1000000"},
		"  == 1.50 ":        {Condition{"==", 1.5}, "== 1.5"},
		"!= -3":             {Condition{"!=", -3}, "!= -3"},
		"< 1e-3":            {Condition{"<", 0.001}, "< 0.001"},
		"< .5":              {Condition{"<", 0.5}, "< 0.5"},
		"== true":           {Condition{"==", 1}, "== 1"},
		"!= false":          {Condition{"!=", 0}, "!= 0"},
		">= 1234567.890625": {Condition{">=", 1234567.890625}, ">= 1234567.890625"},
	}
	for text, test := range tests {
		got, err := ParseCondition(text)
		if err != nil || got != test.want {
			t.Errorf("ParseCondition(%q) = %v, %v; want %v", text, got, err, test.want)
			continue
		}
		if shown := got.String(); shown != test.shown {
			t.Errorf("ParseCondition(%q).String() = %q, want %q", text, shown, test.shown)
		}
	}
}

func TestParseConditionRefuses(t *testing.T) {
	for _, text := range []string{
		"", "5", "<", "< ", "=< 5", "= 5", "<> 5", "< 5ms", "< 5 ms", "< five", "< 5 5", "<< 5",
		"< 1e999", "< 1e3%", "< NaN", "< Inf", "< 0x10", "< 1_000", "< 5,5", "20% >", "5 < 6",
	} {
		if got, err := ParseCondition(text); err == nil {
			t.Errorf("ParseCondition(%q) = %v, want an error", text, got)
		}
	}
}

func FuzzCondition(f *testing.F) {
	for _, seed := range []string{"< 5", ">= 95000", "<= 20%", "== true", "!= -0", "> 1e300", "< 1e-320", "< 5ms", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := ParseCondition(text)
		if err != nil {
			return
		}
		again, err := ParseCondition(parsed.String())
		if err != nil || again != parsed {
			t.Errorf("%q parses to %v, which shows as %q, which parses to %v, %v", text, parsed, parsed, again, err)
		}
	})
}

// TestConditionText writes conditions for a metric with a unit.
func TestConditionText(t *testing.T) {
	for _, c := range []struct {
		condition Condition
		unit      string
		want      string
	}{
		{Condition{"==", 0}, "count", "== 0"},
		{Condition{"==", 1}, "bool", "== true"},
		{Condition{"!=", 0}, "bool", "!= false"},
		{Condition{"<", 0.1}, "ratio", "< 0.1"},
		{Condition{"==", 2}, "bool", "== 2"},
	} {
		got := c.condition.text(c.unit)
		if got != c.want {
			t.Errorf("%v in %s is %q, want %q", c.condition, c.unit, got, c.want)
		}
		if again, err := ParseCondition(got); err != nil || again != c.condition {
			t.Errorf("%q is read as %v, %v", got, again, err)
		}
	}
}

func TestHolds(t *testing.T) {
	for _, c := range []struct {
		op                   string
		below, equal, beyond bool
	}{
		{"<", true, false, false},
		{"<=", true, true, false},
		{">", false, false, true},
		{">=", false, true, true},
		{"==", false, true, false},
		{"!=", true, false, true},
		{"~", false, false, false},
	} {
		condition := Condition{c.op, 5}
		if condition.Holds(4) != c.below || condition.Holds(5) != c.equal || condition.Holds(6) != c.beyond {
			t.Errorf("4, 5, 6 %s 5: %v, %v, %v", c.op, condition.Holds(4), condition.Holds(5), condition.Holds(6))
		}
		if condition.Holds(math.NaN()) {
			t.Errorf("NaN %s 5 holds", c.op)
		}
	}
}

func TestPossible(t *testing.T) {
	infinite := math.Inf(1)
	for _, c := range []struct {
		condition   string
		least, most float64
		want        bool
	}{
		{"< 0", 0, infinite, false},
		{"<= 0", 0, infinite, true},
		{"< 0.1", 0, infinite, true},
		{"> 1", 0, 1, false},
		{">= 1", 0, 1, true},
		{"> 1e300", 0, infinite, true},
		{"== 2", 0, 1, false},
		{"== -1", 0, infinite, false},
		{"== 0.5", 0, 1, true},
		{"!= 5", 0, 1, true},
		{"!= 5", 5, 5, false},
		{"< -1e300", -infinite, infinite, true},
	} {
		condition, err := ParseCondition(c.condition)
		if err != nil {
			t.Fatal(err)
		}
		if got := condition.Possible(c.least, c.most); got != c.want {
			t.Errorf("%s, from %v to %v: %v, want %v", c.condition, c.least, c.most, got, c.want)
		}
	}
	if (Condition{Op: "~", Limit: 1}).Possible(0, 1) {
		t.Error("an unknown operator can hold")
	}
}

package verdict

import "testing"

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

package scenario

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"mabeam-top/internal/stress/verdict"

	"pgregory.net/rapid"
)

// jsonRoundTrip fails unless the JSON of a plan decodes to it.
func jsonRoundTrip(t rapid.TB, cat Catalogue, plan Plan) {
	t.Helper()
	data, err := json.Marshal(plan)
	if err != nil {
		t.Fatalf("encode the plan: %v", err)
	}
	again, err := cat.DecodePlan(data)
	if err != nil {
		t.Fatalf("decode the plan: %v\n%s", err, data)
	}
	if !reflect.DeepEqual(again, plan) {
		t.Fatalf("the plan decodes to\n%+v\nwant\n%+v\nJSON\n%s", again, plan, data)
	}
}

// Every plan survives a round trip through JSON, also one that no file can describe.
func TestPlanJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scenarios := rapid.SliceOfN(rapid.Custom(anyScenario), 1, 2).Draw(t, "scenarios")
		jsonRoundTrip(t, testCatalogue, Plan{Scenarios: scenarios})
	})
}

func anyScenario(t *rapid.T) Scenario {
	return Scenario{
		Name: anyText(t), Title: anyText(t), Description: anyText(t), File: anyText(t),
		Tags:    rapid.SliceOf(rapid.String()).Draw(t, "tags"),
		Timeout: anyDuration(t), Seed: rapid.Uint64().Draw(t, "seed"),
		System: System{MaxAgents: anyInt(t), Mailbox: anyInt(t), BusPolicy: anyText(t)},
		Groups: rapid.SliceOfN(rapid.Map(rapid.SliceOfN(rapid.Custom(anyStep), 1, 2), func(s []Step) Group { return s }), 1, 2).Draw(t, "groups"),
	}
}

func anyStep(t *rapid.T) Step {
	m := rapid.SampledFrom(testCatalogue).Draw(t, "measurement")
	return Step{
		Name: anyText(t), Measurement: m, Params: anyParams(t, m.Params),
		Warmup: Warmup{For: anyDuration(t), Operations: anyInt(t)},
		Repeat: anyInt(t), Component: anyText(t), Tolerance: anyFloat(t),
		Thresholds: noneIfEmpty(rapid.SliceOfN(rapid.Custom(anyThreshold), 0, 2).Draw(t, "thresholds")),
		Faults:     noneIfEmpty(rapid.SliceOfN(rapid.Custom(anyFault), 0, 3).Draw(t, "faults")),
	}
}

func anyThreshold(t *rapid.T) verdict.Threshold {
	return verdict.Threshold{
		Metric: anyText(t), Condition: verdict.Condition{Op: anyText(t), Limit: anyFloat(t)},
		Window: anyDuration(t), After: anyDuration(t), Abort: rapid.Bool().Draw(t, "abort"),
	}
}

func anyFault(t *rapid.T) Fault {
	spec := rapid.SampledFrom(faultSpecs).Draw(t, "kind")
	count, rate := spec.numbers()
	form := rapid.SampledFrom([]Param{count, rate}).Draw(t, "form")
	params := anyParams(t, spec.keys(form))
	params[form.Name] = anyValue(t, form)
	return Fault{Kind: spec.kind, Params: params}
}

// anyParams returns values for parameters. It leaves out some of the optional ones.
func anyParams(t *rapid.T, params []Param) Params {
	values := Params{}
	for _, p := range params {
		if p.Default != nil || rapid.Bool().Draw(t, "given") {
			values[p.Name] = anyValue(t, p)
		}
	}
	return values
}

func anyValue(t *rapid.T, p Param) any {
	switch p.Kind {
	case Int:
		return anyInt(t)
	case Float, Ratio, Rate:
		return anyFloat(t)
	case Duration:
		return anyDuration(t)
	case Size:
		return rapid.Int64().Draw(t, "size")
	case Bool:
		return rapid.Bool().Draw(t, "bool")
	case Text:
		return anyText(t)
	case Map:
		return rapid.MapOfN(rapid.String(), anyContent(2), 0, 3).Draw(t, "map")
	case Table:
		return anyParams(t, p.Fields)
	case List:
		entry := rapid.Custom(func(t *rapid.T) Params { return anyParams(t, p.Fields) })
		return rapid.SliceOfN(entry, 0, 3).Draw(t, "list")
	case Stages:
		stage := rapid.Custom(func(t *rapid.T) Stage {
			return Stage{Rate: anyFloat(t), For: anyDuration(t), Ramp: rapid.Bool().Draw(t, "ramp")}
		})
		return rapid.SliceOfN(stage, 0, 3).Draw(t, "stages")
	case Ints:
		return rapid.SliceOf(rapid.Int()).Draw(t, "ints")
	case Texts:
		return rapid.SliceOf(rapid.String()).Draw(t, "texts")
	}
	panic("unknown kind")
}

// anyContent generates values of a Map, nested up to a depth.
func anyContent(depth int) *rapid.Generator[any] {
	values := []*rapid.Generator[any]{
		rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.Int().AsAny(), rapid.Float64().AsAny(),
		rapid.SampledFrom([]float64{0, 1, 1e20, 1e21, -3}).AsAny(), rapid.String().AsAny(),
	}
	if depth > 0 {
		values = append(values,
			rapid.SliceOfN(anyContent(depth-1), 0, 3).AsAny(),
			rapid.MapOfN(rapid.String(), anyContent(depth-1), 0, 3).AsAny())
	}
	return rapid.OneOf(values...)
}

func noneIfEmpty[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}

func anyText(t *rapid.T) string            { return rapid.String().Draw(t, "text") }
func anyInt(t *rapid.T) int                { return rapid.Int().Draw(t, "whole") }
func anyFloat(t *rapid.T) float64          { return rapid.Float64().Draw(t, "number") }
func anyDuration(t *rapid.T) time.Duration { return time.Duration(rapid.Int64().Draw(t, "duration")) }

// The limits on scenario files do not apply to a plan, which can be nested more deeply.
func TestDeepPlanJSON(t *testing.T) {
	var source strings.Builder
	source.WriteString("name: s\ntitle: S\nsteps:\n  - measure: kinds\n    with:\n      params:\n")
	for i := range maxNesting + 10 {
		source.WriteString(strings.Repeat(" ", 8+i) + "a:\n")
	}
	source.WriteString(strings.Repeat(" ", 8+maxNesting+10) + "b: 1\n")
	scenarios, err := Parse(testCatalogue, testComponents, Document{File: "deep.yaml", Source: []byte(source.String())})
	if err != nil {
		t.Fatal(err)
	}
	jsonRoundTrip(t, testCatalogue, Plan{Scenarios: scenarios})
}

// A plan that does not fit the catalogue is refused.
func TestDecodePlanErrors(t *testing.T) {
	const step = `{"name": "s", "measurement": "agent-creation", "params": {"agents": 1, "concurrency": 1}}`
	for old, test := range map[string]struct{ replacement, message string }{
		`agent-creation`:   {`agent-removal`, `scenario one: step s: unknown measurement "agent-removal"`},
		`, "concurrency":`: {`, "speed":`, "scenario one: step s: parameter concurrency is missing"},
		`"agents": 1`:      {`"agents": 1, "speed": 1`, "scenario one: step s: unknown parameter speed"},
		`: 1,`:             {`: "1",`, "scenario one: step s: parameter agents: "},
		`"name"`:           {`"named"`, `unknown field "named"`},
		`1}}`:              {`1}, "faults": [{"kind": "flood"}]}`, "scenario one: step s: fault flood: unknown kind"},
		`{"name": "s", `:   {`{"name": "s", "faults": [{"kind": "garbage", "params": {"garbage": 1}}], `, "fault garbage: parameter from is missing"},
	} {
		changed := strings.Replace(step, old, test.replacement, 1)
		_, err := testCatalogue.DecodePlan([]byte(`{"scenarios": [{"name": "one", "groups": [[` + changed + `]]}]}`))
		if err == nil || !strings.Contains(err.Error(), test.message) {
			t.Errorf("%s: %v, want %s", changed, err, test.message)
		}
	}
}

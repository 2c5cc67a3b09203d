package stream

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
)

const okLine = `{"t":1,"type":"log","log":{"level":"info","message":"ok"}}`

func TestReader(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want string // what each Read tells: ok, or the error, up to the end
	}{
		"nothing":                  {"", "EOF"},
		"one event":                {okLine + "\n", "ok|EOF"},
		"empty lines":              {"\n" + okLine + "\n \r\n", "ok|EOF"},
		"Windows line ends":        {okLine + "\r\n" + okLine + "\r\n", "ok|ok|EOF"},
		"only the line end is cut": {okLine + "\n" + okLine, "ok|ok|EOF"},
		"cut short": {
			okLine + "\n" + okLine[:20],
			"ok|line 2: unexpected EOF|EOF",
		},
		"cut after the first byte": {"{", "line 1: unexpected EOF|EOF"},
		"not JSON": {
			okLine + "\nhello\n" + okLine + "\n",
			"ok|line 2: not an event: invalid character 'h' looking for beginning of value|ok|EOF",
		},
		"not JSON, and no line end": {
			"hello",
			"line 1: not an event: invalid character 'h' looking for beginning of value|EOF",
		},
		"half a line that is not the last": {
			okLine[:20] + "\n" + okLine + "\n",
			"line 1: not an event: unexpected end of JSON input|ok|EOF",
		},
		"two events in a line": {
			okLine + okLine + "\n",
			"line 1: not an event: invalid character '{' after top-level value|EOF",
		},
		"a wrong type": {
			`{"t":"now","type":"sample"}` + "\n",
			"line 1: not an event: json: cannot unmarshal string into Go struct field Event.t of type float64|EOF",
		},
		"no type": {
			"\n" + `{"t":1}` + "\n",
			"line 2: not an event: no type|EOF",
		},
		"without payload": {
			`{"t":1,"type":"run_finished"}` + "\n",
			"line 1: not an event: run_finished without its payload|EOF",
		},
		"a sample of nothing": {`{"t":1,"type":"sample"}` + "\n", "ok|EOF"},
		"a type of the future": {
			`{"t":1,"type":"aside","aside":{"a":1}}` + "\n",
			"ok|EOF",
		},
		"another schema": {
			`{"t":0,"type":"run_started","run":{"schema":"mabeam-top/events/v2"}}` + "\n",
			`line 1: unsupported schema "mabeam-top/events/v2": this version reads "mabeam-top/events/v1"|EOF`,
		},
		"too long": {
			okLine + "\n" + strings.Repeat("x", 500) + "\n" + okLine + "\n",
			"ok|line 2: longer than 512 MiB|ok|EOF",
		},
		"too long, and no line end": {strings.Repeat("x", 500), "line 1: longer than 512 MiB|EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			for kind, text := range map[string]io.Reader{
				"at once":      strings.NewReader(c.text),
				"byte by byte": iotest.OneByteReader(strings.NewReader(c.text)),
			} {
				in := newReader(text, 200)
				var told []string
				for {
					_, err := in.Read()
					if err == nil {
						told = append(told, "ok")
						continue
					}
					told = append(told, err.Error())
					if errors.Is(err, io.EOF) {
						break
					}
				}
				if got := strings.Join(told, "|"); got != c.want {
					t.Errorf("%s: %s\nwant %s", kind, got, c.want)
				}
			}
		})
	}
}

func TestReaderTellsErrorsApart(t *testing.T) {
	broken := errors.New("the pipe broke")
	for name, c := range map[string]struct {
		in   io.Reader
		want error
	}{
		"cut short": {strings.NewReader(okLine[:30]), io.ErrUnexpectedEOF},
		"too long":  {strings.NewReader(strings.Repeat("x", 300)), ErrLineTooLong},
		"unread":    {io.MultiReader(strings.NewReader(okLine), iotest.ErrReader(broken)), broken},
	} {
		_, err := newReader(c.in, 200).Read()
		if !errors.Is(err, c.want) || errors.Is(err, io.EOF) {
			t.Errorf("%s: error %v, want %v", name, err, c.want)
		}
	}
}

// A line longer than the reader's buffer, as a report's is.
func TestReaderOfALongLine(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out)
	long := strings.Repeat("long ", 1<<20)
	w.Emit(t.Context(), logAt(1, long))
	w.Emit(t.Context(), logAt(2, "short"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	checkOutline(t, readAll(t, &out), long, "short")
}

// What is cut anywhere is told as cut, or the events before the cut are whole.
func TestReaderOfAStreamCutAnywhere(t *testing.T) {
	text := okLine + "\n" + `{"t":2.5,"type":"sample","sample":{"agents":3,"é":1e-7}}` + "\n"
	first, second := len(okLine), len(text)-1
	for cut := range len(text) + 1 {
		in := NewReader(strings.NewReader(text[:cut]))
		whole := 0
		var err error
		for err == nil {
			if _, err = in.Read(); err == nil {
				whole++
			}
		}
		wantWhole, wantErr := 0, io.ErrUnexpectedEOF
		if cut >= first {
			wantWhole++
		}
		if cut >= second {
			wantWhole++
		}
		if cut == 0 || cut == first || cut == first+1 || cut >= second {
			wantErr = io.EOF
		}
		if whole != wantWhole || !errors.Is(err, wantErr) {
			t.Errorf("cut at %d: %d events and %v, want %d and %v", cut, whole, err, wantWhole, wantErr)
		}
	}
}

// events are arbitrary ones of every type.
var events = rapid.Custom(func(t *rapid.T) Event {
	text := rapid.String()
	texts := rapid.SliceOf(text)
	number := rapid.Float64()
	at := rapid.Custom(func(t *rapid.T) time.Time {
		seconds := rapid.Int64Range(0, 250_000_000_000).Draw(t, "s") // to the year 9892
		return time.Unix(seconds, rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
	})
	value := rapid.OneOf(number.AsAny(), text.AsAny(), rapid.Bool().AsAny(), rapid.Just[any](nil))
	params := rapid.MapOf(text, value)

	step := rapid.Custom(func(t *rapid.T) report.Step {
		baseline := number.Draw(t, "baseline")
		return report.Step{
			Name:    text.Draw(t, "name"),
			Params:  params.Draw(t, "params"),
			Verdict: report.Verdict(text.Draw(t, "verdict")),
			Score:   number.Draw(t, "score"),
			Steered: rapid.Bool().Draw(t, "steered"),
			Metrics: map[string]report.Metric{text.Draw(t, "metric"): {
				Value:        value.Draw(t, "value"),
				Samples:      rapid.SliceOf(number).Draw(t, "samples"),
				Distribution: &report.Distribution{Count: rapid.Int64().Draw(t, "count"), P999: number.Draw(t, "p999")},
				Baseline:     &baseline,
			}},
			Thresholds: []report.Threshold{{Condition: text.Draw(t, "condition")}},
			Operations: report.Operations{Attempted: rapid.Int64().Draw(t, "attempted")},
			Probes:     map[probe.Name]report.Probe{probe.Name(text.Draw(t, "probe")): {Mean: number.Draw(t, "mean")}},
		}
	})
	scenario := rapid.Custom(func(t *rapid.T) report.Scenario {
		return report.Scenario{
			Name: text.Draw(t, "name"), Tags: texts.Draw(t, "tags"), StartedAt: at.Draw(t, "at"),
			Steps: rapid.SliceOfN(step, 0, 3).Draw(t, "steps"),
		}
	})

	e := Event{T: number.Draw(t, "t"), Type: rapid.SampledFrom([]Type{
		RunStarted, ScenarioStarted, StepStarted, RepetitionStarted, SampleTaken, FaultInjected, Logged,
		StepFinished, ScenarioFinished, RunFinished,
	}).Draw(t, "type")}
	switch e.Type {
	case RunStarted:
		memory := rapid.Uint64().Draw(t, "memory")
		e.Run = &Run{
			Schema: Schema, ID: text.Draw(t, "id"), StartedAt: at.Draw(t, "at"), Command: texts.Draw(t, "command"),
			Seed: rapid.Uint64().Draw(t, "seed"), Host: report.Host{CgroupMemoryBytes: &memory, GOMAXPROCS: 2},
			Scenarios: texts.Draw(t, "scenarios"), EstimateSeconds: number.Draw(t, "estimate"),
		}
	case ScenarioStarted:
		e.Scenario = &Scenario{Name: text.Draw(t, "name"), Tags: texts.Draw(t, "tags"), StartedAt: at.Draw(t, "at")}
	case StepStarted:
		e.Step = &Step{
			Name: text.Draw(t, "name"), Params: params.Draw(t, "params"), Repeat: rapid.Int().Draw(t, "repeat"),
			Limits: []Limit{{Metric: text.Draw(t, "metric"), Value: number.Draw(t, "value"), ProbeScale: number.Draw(t, "scale")}},
		}
	case RepetitionStarted:
		e.Repetition = &Repetition{Step: text.Draw(t, "step"), Number: rapid.Int().Draw(t, "number"), Seed: rapid.Uint64().Draw(t, "seed")}
	case SampleTaken:
		e.Sample = rapid.MapOfN(rapid.Map(text, func(s string) probe.Name { return probe.Name(s) }), number, 1, 20).Draw(t, "sample")
	case FaultInjected:
		e.Fault = &Fault{Fault: text.Draw(t, "fault"), ByHand: rapid.Bool().Draw(t, "by hand")}
	case Logged:
		e.Log = &Log{Level: text.Draw(t, "level"), Message: text.Draw(t, "message")}
	case StepFinished:
		result := step.Draw(t, "result")
		e.StepResult = &result
	case ScenarioFinished:
		result := scenario.Draw(t, "result")
		e.ScenarioResult = &result
	case RunFinished:
		e.Report = &report.Report{
			Schema: report.Schema, StartedAt: at.Draw(t, "at"), Seed: rapid.Uint64().Draw(t, "seed"),
			Scenarios:  rapid.SliceOfN(scenario, 0, 2).Draw(t, "scenarios"),
			Regression: &report.Regression{Threshold: number.Draw(t, "threshold")},
		}
	}
	return e
})

// What the writer writes, the reader reads.
func TestWriterAndReaderAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		written := rapid.SliceOfN(events, 1, 10).Draw(t, "events")
		var out bytes.Buffer
		w := NewWriter(&out)
		for _, e := range written {
			w.Emit(t.Context(), e)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		read := readAll(t, &out)
		if len(read) != len(written) {
			t.Fatalf("wrote %d events, read %d", len(written), len(read))
		}
		// As JSON, since an empty list and none are the same there.
		for i := range written {
			want, err := json.Marshal(written[i])
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(read[i])
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("read\n%s\nwritten\n%s", got, want)
			}
		}
	})
}

// Whatever a reader takes for an event, a writer writes, so that it comes out
// as the same event.
func FuzzReader(f *testing.F) {
	f.Add([]byte(okLine + "\n"))
	f.Add([]byte(okLine + "\n" + okLine[:30]))
	f.Add([]byte("\r\nhello\n" + okLine + okLine))
	f.Add([]byte(`{"t":-0,"type":"sample","sample":{"agents":1e308,"` + "\xff" + `":-0.0}}` + "\n"))
	f.Add([]byte(`{"t":1,"type":"aside","run":{"schema":"x","started_at":"2026-01-01T00:00:00+23:59","seed":18446744073709551615}}`))
	f.Add([]byte(`{"tYpe":"0","run":{"stArted_At":"0000-01-01T0:00:00+24:00"}}`))
	f.Add([]byte(`{"T":1e999,"type":"run_finished","report":{"scenarios":[{"steps":[{"params":{"a":[{"b":null}]}}]}]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		lines := func(events []Event) string {
			var out bytes.Buffer
			w := NewWriter(&out)
			for _, e := range events {
				w.Emit(t.Context(), e)
			}
			if err := w.Close(); err != nil {
				t.Fatalf("what was read cannot be written: %v", err)
			}
			return out.String()
		}
		var events []Event
		in := newReader(bytes.NewReader(text), 1000)
		for reads := 0; ; reads++ {
			if reads > len(text)+1 {
				t.Fatal("it never ends")
			}
			e, err := in.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err == nil {
				events = append(events, e)
			}
		}
		once := lines(events)
		if again := lines(readAll(t, strings.NewReader(once))); again != once {
			t.Errorf("written\n%sthen\n%s", once, again)
		}
	})
}

// The report of a run of very many steps is a line that a recording may have.
func TestReadsALargeReport(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some 100 MB")
	}
	const size = 65 << 20
	line := `{"t": 1, "type": "log", "log": {"level": "info", "message": "` + strings.Repeat("x", size) + `"}}` + "\n"
	e, err := NewReader(strings.NewReader(line)).Read()
	if err != nil || len(e.Log.Message) != size {
		t.Errorf("read %+.100v, %v", e, err)
	}
}

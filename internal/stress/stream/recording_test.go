package stream_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/stress/stream/streamtest"
)

const (
	okLine    = `{"t":1,"type":"log","log":{"level":"info","message":"ok"}}`
	startLine = `{"t":0,"type":"run_started","run":{"schema":"mabeam-top/events/v1","id":"r"}}`
	endLine   = `{"t":9,"type":"run_finished","report":{"schema":"mabeam-top/report/v1","id":"r","verdict":"pass"}}`
)

func TestReadRecording(t *testing.T) {
	for name, c := range map[string]struct {
		lines  string
		events int
		broken string
		err    string
	}{
		"whole":                         {startLine + "\n" + okLine + "\n" + endLine + "\n", 3, "", ""},
		"nothing":                       {"", 0, "", "the file is empty"},
		"empty lines":                   {"\n\n", 0, "", "the file is empty"},
		"not a recording":               {"hello\n", 0, "", "line 1: not an event: invalid character 'h' looking for beginning of value"},
		"cut in its first line":         {startLine[:30], 0, "", "line 1: unexpected EOF"},
		"without its beginning":         {okLine + "\n" + endLine + "\n", 0, "", "line 1: not a recording: the first event must be run_started, not log"},
		"without its end":               {startLine + "\n" + okLine + "\n", 2, "it ends before the run finished", ""},
		"cut in a line":                 {startLine + "\n" + okLine + "\n" + endLine[:40], 2, "line 3: unexpected EOF", ""},
		"corrupt in the middle":         {startLine + "\n" + okLine + "\n\x00\x01\n" + endLine + "\n", 2, "line 3: not an event: invalid character '\\x00' looking for beginning of value", ""},
		"corrupt after its end":         {startLine + "\n" + endLine + "\n\x00\n", 2, "", ""},
		"another run after its end":     {startLine + "\n" + endLine + "\n" + startLine + "\n", 2, "", ""},
		"another run before it has one": {startLine + "\n" + okLine + "\n" + startLine + "\n", 2, "line 3: another run starts before this one finished", ""},
		"of another schema":             {`{"t":0,"type":"run_started","run":{"schema":"x"}}`, 0, "", `line 1: unsupported schema "x": this version reads "mabeam-top/events/v1"`},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := stream.ReadRecording(strings.NewReader(c.lines))
			if fmt.Sprint(err) != c.err && (err != nil || c.err != "") {
				t.Fatalf("error %v, want %q", err, c.err)
			}
			if err != nil {
				return
			}
			if len(r.Events) != c.events || r.Broken == nil && c.broken != "" || r.Broken != nil && r.Broken.Error() != c.broken {
				t.Errorf("%d events, broken %v; want %d, %q", len(r.Events), r.Broken, c.events, c.broken)
			}
		})
	}
}

// Times never go back, and what is no time is that of the event before.
func TestRecordingTimes(t *testing.T) {
	r, err := stream.ReadRecording(strings.NewReader(strings.Join([]string{
		startLine,
		`{"t":2,"type":"sample","sample":{"a":1}}`,
		`{"t":1,"type":"sample","sample":{"a":1}}`,
		`{"t":1e300,"type":"sample","sample":{"a":1}}`,
		`{"t":3,"type":"sample","sample":{"a":1}}`,
	}, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	var times []float64
	for _, e := range r.Events {
		times = append(times, e.T)
	}
	if got := fmt.Sprint(times, r.Length()); got != "[0 2 2 2 3] 3" {
		t.Errorf("times and length are %s", got)
	}
}

// A long recording is thinned; nothing but samples is left out.
func TestRecordingIsBounded(t *testing.T) {
	var lines bytes.Buffer
	lines.WriteString(startLine + "\n")
	const samples, most = 1000, 64
	for i := range samples {
		fmt.Fprintf(&lines, `{"t":%d,"type":"sample","sample":{"n":%d}}`+"\n", i, i)
		if i%100 == 0 {
			fmt.Fprintf(&lines, `{"t":%d,"type":"log","log":{"level":"info","message":"%d"}}`+"\n", i, i)
		}
	}
	r, err := stream.ReadRecordingOf(&lines, most)
	if err != nil {
		t.Fatal(err)
	}
	kept, logs, gap, last := 0, 0, 0.0, 0.0
	for _, e := range r.Events {
		switch e.Type {
		case stream.SampleTaken:
			kept++
			gap = max(gap, e.T-last)
			last = e.T
		case stream.Logged:
			logs++
		}
	}
	if kept > most || kept < most/2 || logs != 10 || kept+r.Thinned != samples {
		t.Errorf("%d samples and %d logs are kept, %d left out", kept, logs, r.Thinned)
	}
	if gap > 4*samples/(most/4) || last != samples-1 {
		t.Errorf("the widest gap is %v, and the last sample at %v", gap, last)
	}
}

// What a Writer wrote, a Recording has.
func TestRecordingOfAWriter(t *testing.T) {
	var file bytes.Buffer
	w := stream.NewWriter(&file)
	run := streamtest.Recording(10)
	for _, e := range run.Events {
		w.Emit(context.Background(), e)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := stream.ReadRecording(&file)
	if err != nil || r.Broken != nil {
		t.Fatal(err, r.Broken)
	}
	want, err := json.Marshal(run.Events)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := json.Marshal(r.Events); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v: read\n%s\nwritten\n%s", err, got, want)
	}
}

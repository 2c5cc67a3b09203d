package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mabeam-top/internal/probes/probe"
	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/stream"
)

// A recording near its limit keeps fewer samples, and logs how many it omits.
func TestStoredRecordingOmitsSamples(t *testing.T) {
	state := t.TempDir()
	t.Setenv("XDG_STATE_HOME", state)
	var r storedRecording
	r.add(stream.Event{Type: stream.RunStarted, Run: &stream.Run{Schema: stream.Schema, ID: "run1", StartedAt: time.Unix(1e9, 0)}})
	r.written.Store(maxRecordingBytes*5/8 + 1) // past half of the limit
	for i := range 8 {
		r.add(stream.Event{T: float64(i), Type: stream.SampleTaken, Sample: probe.Sample{"goroutines": 1}})
	}
	r.add(stream.Event{T: 8, Type: stream.RunFinished, Report: &report.Report{}})
	if err := r.close(); err != nil {
		t.Fatal(err)
	}
	var paths []string
	err := filepath.WalkDir(state, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil || len(paths) != 1 {
		t.Fatalf("kept %v, %v", paths, err)
	}
	recording, err := readRecordingFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	if recording.Broken != nil {
		t.Error(recording.Broken)
	}
	samples, logged := 0, false
	for _, e := range recording.Events {
		if e.Type == stream.SampleTaken {
			samples++
		}
		logged = logged || e.Log != nil && strings.Contains(e.Log.Message, "omits 4 samples")
	}
	if samples != 4 || !logged {
		t.Errorf("%d samples of 8, logged: %v", samples, logged)
	}
}

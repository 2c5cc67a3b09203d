package uitest

import (
	"context"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Local time is the same everywhere, so that golden files are.
func init() { time.Local = time.UTC }

var update = flag.Bool("update", false, "write the golden files")

// Golden compares a text with a golden file, or writes that with -update.
func Golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got+"\n" != string(want) {
		t.Errorf("%s differs: run with -update and look at the change\ngot:\n%s", path, got)
	}
}

// Type writes texts at their times, counted from its start.
func Type(ctx context.Context, w io.Writer, texts map[time.Duration]string) {
	time.Sleep(30 * time.Millisecond) // after ticks and samples, see Source
	for at := time.Duration(0); at < 2*time.Minute && len(texts) > 0; at += 100 * time.Millisecond {
		if text, ok := texts[at]; ok {
			if _, err := io.WriteString(w, text); err != nil {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

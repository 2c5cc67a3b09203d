package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

func writes(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

// only checks that the folder has exactly this one file with this content.
func only(t *testing.T, folder, name, content string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != name {
		t.Errorf("the folder has %v, want only %s", entries, name)
	}
	got, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil || string(got) != content {
		t.Errorf("%s has %q, %v; want %q", name, got, err, content)
	}
}

func TestWrite(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "report.json")
	for _, content := range []string{"first, and longer", "second"} {
		if err := Write(path, writes(content)); err != nil {
			t.Fatal(err)
		}
		only(t, folder, "report.json", content)
	}
}

func TestWriteLeavesTheOldOneOnError(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "report.json")
	if err := Write(path, writes("old")); err != nil {
		t.Fatal(err)
	}
	fault := errors.New("no more paper")
	err := Write(path, func(w io.Writer) error {
		if _, err := io.WriteString(w, strings.Repeat("new", 10_000)); err != nil {
			return err
		}
		return fault
	})
	if !errors.Is(err, fault) || !strings.Contains(err.Error(), "write "+path) {
		t.Errorf("error %v", err)
	}
	only(t, folder, "report.json", "old")
}

func TestWriteFollowsLinks(t *testing.T) {
	folder, elsewhere := t.TempDir(), t.TempDir()
	target := filepath.Join(elsewhere, "target.json")
	link := filepath.Join(folder, "link.json")
	if err := Write(target, writes("old")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skip(err)
	}
	if err := Write(link, writes("new")); err != nil {
		t.Fatal(err)
	}
	only(t, elsewhere, "target.json", "new")
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
}

func TestWriteRefuses(t *testing.T) {
	folder := t.TempDir()
	if err := Write(folder, writes("x")); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("a folder: error %v", err)
	}
	if err := Write(filepath.Join(folder, "no", "report.json"), writes("x")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: error %v", err)
	}
}

func TestWriteKeepsDevices(t *testing.T) {
	before, err := os.Stat(os.DevNull)
	if err != nil || before.Mode().IsRegular() {
		t.Skip("no null device here")
	}
	if err := Write(os.DevNull, writes("x")); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(os.DevNull)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the null device was replaced: %v", err)
	}
}

// A file gets its name when it is complete, and not before.
func TestCreate(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "run.jsonl")
	for _, content := range []string{"first", "second"} {
		f, err := Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, content); err != nil {
			t.Fatal(err)
		}
		if partial, err := os.ReadFile(partialOf(t, path)); err != nil || string(partial) != content {
			t.Errorf("until then there is %q, %v", partial, err)
		}
		if err := f.Commit(); err != nil {
			t.Fatal(err)
		}
		only(t, folder, "run.jsonl", content)
	}
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Discard(); err != nil {
		t.Fatal(err)
	}
	only(t, folder, "run.jsonl", "second")
	if _, err := Create(folder); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("error %v", err)
	}
	if _, err := Create(filepath.Join(folder, "none", "x")); err == nil {
		t.Error("a file in no folder was begun")
	}
}

// partialOf returns the temporary name of a file.
func partialOf(t *testing.T, path string) string {
	t.Helper()
	found, err := filepath.Glob(path + ".*.partial")
	if err != nil || len(found) != 1 {
		t.Fatalf("partial files of %s: %q, %v", path, found, err)
	}
	return found[0]
}

// Concurrent writers of one file do not mix: each leaves a complete file, and the last
// one wins.
func TestSeveralWriters(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "run.jsonl")
	var files []*File
	for range 2 {
		f, err := Create(path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	for _, part := range []string{"begin ", "end"} { // in turn
		for i, f := range files {
			if _, err := fmt.Fprint(f, i, part); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, f := range files {
		if err := f.Commit(); err != nil {
			t.Errorf("writer %d: %v", i, err)
		}
		want := fmt.Sprint(i, "begin ", i, "end")
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("after writer %d: %q, %v; want %q", i, got, err, want)
		}
	}
	only(t, folder, "run.jsonl", "1begin 1end")

	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := Write(path, writes(strings.Repeat(strconv.Itoa(i), 10_000))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := os.ReadFile(path)
	if err != nil || len(got) != 10_000 || strings.Trim(string(got), string(got[:1])) != "" {
		t.Errorf("at once: %d bytes, %v", len(got), err)
	}
	only(t, folder, "run.jsonl", string(got))
}

// The temporary name of a file with a long name is not too long.
func TestLongName(t *testing.T) {
	for _, name := range []string{strings.Repeat("x", 250) + ".json", strings.Repeat("ü", 122) + ".json"} {
		folder := t.TempDir()
		if err := Write(filepath.Join(folder, name), writes("whole")); err != nil {
			t.Fatal(err)
		}
		f, err := Create(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if base := filepath.Base(f.temporary); !utf8.ValidString(base) || !strings.HasPrefix(base, name[:longestName-1]) {
			t.Errorf("the temporary name is %q", base)
		}
		if err := f.Discard(); err != nil {
			t.Error(err)
		}
		only(t, folder, name, "whole")
	}
}

// A process that exits at once leaves no empty and no temporary files, but recordings.
func TestRemoveUnfinished(t *testing.T) {
	folder := t.TempDir()
	if err := Write(filepath.Join(folder, "done.json"), writes("done")); err != nil {
		t.Fatal(err)
	}
	begin := func(name, content string) *File {
		f, err := Create(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Discard() }) // it may be gone
		if _, err := io.WriteString(f, content); err != nil {
			t.Fatal(err)
		}
		return f
	}
	begin("empty.jsonl", "")
	kept := filepath.Base(begin("begun.jsonl", "a line").temporary)
	err := Write(filepath.Join(folder, "report.json"), func(w io.Writer) error {
		_, err := io.WriteString(w, strings.Repeat("half", 10_000))
		RemoveUnfinished()
		return err
	})
	if err == nil {
		t.Error("a file that was removed was put in its place")
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 2 || entries[0].Name() != kept || entries[1].Name() != "done.json" {
		t.Errorf("left are %v, %v; want %s and done.json", entries, err, kept)
	}
}

func TestFullDisk(t *testing.T) {
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skip("there is no " + full + " here")
	}
	if err := Write(full, writes("text")); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("error %v", err)
	}
	f, err := Create(full)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(f, "text"); err == nil {
		t.Error("the text was written")
	}
	if err := f.Discard(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(full); err != nil {
		t.Error("the device was removed")
	}
}

// CheckWritable knows what cannot be written, and leaves nothing behind.
func TestCheckWritable(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "report.json")
	if err := CheckWritable(path); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
		t.Errorf("left are %v, %v", entries, err)
	}
	if err := Write(path, writes("good")); err != nil {
		t.Fatal(err)
	}
	if err := CheckWritable(path); err != nil {
		t.Error(err)
	}
	if err := CheckWritable(os.DevNull); err != nil {
		t.Error(err)
	}
	only(t, folder, "report.json", "good")
	for _, c := range []struct{ path, want string }{
		{folder, "is a folder"},
		{filepath.Join(folder, "none", "x"), "create a file in " + filepath.Join(folder, "none") + ": "},
		{filepath.Join(path, "x"), "not a directory"},
		{filepath.Join(folder, strings.Repeat("x", 300)), "file name too long"},
	} {
		if err := CheckWritable(c.path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.path, err, c.want)
		}
	}
	only(t, folder, "report.json", "good")
}

// The reader of a pipe must not see its end before anything is written.
func TestCheckWritableLeavesPipesAlone(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	path := fmt.Sprintf("/dev/fd/%d", w.Fd())
	if _, err := os.Stat(path); err != nil {
		t.Skip(err)
	}
	if err := CheckWritable(path); err != nil {
		t.Error(err)
	}
}

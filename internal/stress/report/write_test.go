package report

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func writes(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

// only holds the folder to have exactly this one file with this content.
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

func TestWriteFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "report.json")
	for _, content := range []string{"first, and longer", "second"} {
		if err := WriteFile(path, writes(content)); err != nil {
			t.Fatal(err)
		}
		only(t, folder, "report.json", content)
	}
}

func TestWriteFileLeavesTheOldOneOnError(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "report.json")
	if err := WriteFile(path, writes("old")); err != nil {
		t.Fatal(err)
	}
	fault := errors.New("no more paper")
	err := WriteFile(path, func(w io.Writer) error {
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

func TestWriteFileFollowsLinks(t *testing.T) {
	folder, elsewhere := t.TempDir(), t.TempDir()
	target := filepath.Join(elsewhere, "target.json")
	link := filepath.Join(folder, "link.json")
	if err := WriteFile(target, writes("old")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skip(err)
	}
	if err := WriteFile(link, writes("new")); err != nil {
		t.Fatal(err)
	}
	only(t, elsewhere, "target.json", "new")
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
}

func TestWriteFileRefuses(t *testing.T) {
	folder := t.TempDir()
	if err := WriteFile(folder, writes("x")); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("a folder: error %v", err)
	}
	if err := WriteFile(filepath.Join(folder, "no", "report.json"), writes("x")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: error %v", err)
	}
}

func TestWriteFileKeepsDevices(t *testing.T) {
	before, err := os.Stat(os.DevNull)
	if err != nil || before.Mode().IsRegular() {
		t.Skip("no null device here")
	}
	if err := WriteFile(os.DevNull, writes("x")); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(os.DevNull)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the null device was replaced: %v", err)
	}
}

// A file that takes a while is in its place when it is whole, and not before.
func TestCreateFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "run.jsonl")
	for _, content := range []string{"first", "second"} {
		f, err := CreateFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, content); err != nil {
			t.Fatal(err)
		}
		if partial, err := os.ReadFile(path + ".partial"); err != nil || string(partial) != content {
			t.Errorf("until then there is %q, %v", partial, err)
		}
		if err := f.Commit(); err != nil {
			t.Fatal(err)
		}
		only(t, folder, "run.jsonl", content)
	}
	f, err := CreateFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Discard(); err != nil {
		t.Fatal(err)
	}
	only(t, folder, "run.jsonl", "second")
	if _, err := CreateFile(folder); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("error %v", err)
	}
	if _, err := CreateFile(filepath.Join(folder, "none", "x")); err == nil {
		t.Error("a file in no folder was begun")
	}
}

func TestFullDisk(t *testing.T) {
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skip("there is no " + full + " here")
	}
	if err := WriteFile(full, writes("text")); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("error %v", err)
	}
	f, err := CreateFile(full)
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

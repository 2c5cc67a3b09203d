package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// errNoGit is the error of a machine that cannot apply patches.
var errNoGit = errors.New("git is not installed, but is needed to apply the patches")

// findRoot returns the folder of the module that contains the working directory.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod in the working directory or above it: run this inside the checkout")
		}
		dir = parent
	}
}

// apply writes the patched files of a defect below work. The checkout does not change. A
// patch applies even if its lines have moved, or lines next to them have changed.
func (d defect) apply(ctx context.Context, root, work string) error {
	if _, err := exec.LookPath("git"); err != nil {
		return errNoGit
	}
	for _, file := range d.files {
		content, err := os.ReadFile(filepath.Join(root, file))
		if errors.Is(err, fs.ErrNotExist) {
			continue // the patch adds it
		}
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(work, file)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(work, file), content, 0o644)
		}
		if err != nil {
			return err
		}
	}
	git := exec.CommandContext(ctx, "git", "apply", "-C1", "--whitespace=nowarn", "-")
	git.Dir = work
	git.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(work)) // work is not in a repository
	git.Stdin = bytes.NewReader(d.patch)
	if output, err := git.CombinedOutput(); err != nil {
		return fmt.Errorf("apply the patch: %w\n%s", err, output)
	}
	return nil
}

// overlay applies a defect below work, and returns the flag that makes go build use the
// patched files; none for the healthy build.
func (d defect) overlay(ctx context.Context, root, work string) ([]string, error) {
	if len(d.files) == 0 {
		return nil, nil
	}
	if err := d.apply(ctx, root, work); err != nil {
		return nil, err
	}
	replace := map[string]string{}
	for _, file := range d.files {
		replace[filepath.Join(root, file)] = filepath.Join(work, file)
	}
	content, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(work, "overlay.json")
	return []string{"-overlay", file}, os.WriteFile(file, content, 0o644)
}

// compile compiles the runtime with a defect, and the packages below it.
func (d defect) compile(ctx context.Context, root string) error {
	return d.goBuild(ctx, root, "./"+patched+"...")
}

// build builds the program with a defect as the file binary, unless that exists.
func (d defect) build(ctx context.Context, root, binary string) error {
	if _, err := os.Stat(binary); err == nil {
		return nil
	}
	return d.goBuild(ctx, root, "-o", binary, "./cmd/mabeam-top")
}

// goBuild runs go build with a defect applied.
func (d defect) goBuild(ctx context.Context, root string, args ...string) error {
	work, err := os.MkdirTemp("", "defect-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	flags, err := d.overlay(ctx, root, work)
	if err != nil {
		return err
	}
	build := exec.CommandContext(ctx, "go", append(append([]string{"build"}, flags...), args...)...)
	build.Dir = root
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, output)
	}
	return nil
}

// fingerprint is a digest of all sources of the program, so that a kept binary is not used
// for other sources.
func fingerprint(root string) ([]byte, error) {
	sum := sha256.New()
	for _, dir := range []string{"go.mod", "go.sum", "cmd", "internal", "scenarios"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && (entry.Name() == "testdata" || entry.Name() == "defects"):
				return filepath.SkipDir
			case entry.IsDir(), strings.HasSuffix(path, "_test.go"):
				return nil
			}
			content, err := os.ReadFile(path)
			_, _ = fmt.Fprintf(sum, "%s %d\n", path, len(content)) // a hash accepts everything
			_, _ = sum.Write(content)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return sum.Sum(nil), nil
}

// binaryName is the name of a kept binary.
func (d defect) binaryName(sources []byte) string {
	return fmt.Sprintf("%s-%x", d.name, sha256.Sum256(append(sources[:len(sources):len(sources)], d.patch...)))[:len(d.name)+13]
}

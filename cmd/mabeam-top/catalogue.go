package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/verdict"
	"mabeam-top/scenarios"
)

// defaultTag is the tag that a headless run selects by default.
const defaultTag = "baseline"

// stdinName is the file name of standard input in errors and reports.
const stdinName = "stdin"

// builtin returns the built-in scenario files.
func builtin() []scenario.Document {
	names, err := fs.Glob(scenarios.Files, "*.yaml")
	if err != nil {
		panic(err) // the pattern is valid
	}
	documents := make([]scenario.Document, len(names))
	for i, name := range names {
		source, err := scenarios.Files.ReadFile(name)
		if err != nil {
			panic(err) // the file is embedded
		}
		documents[i] = scenario.Document{File: "builtin:" + name, Source: source}
	}
	return documents
}

// parse parses scenario files together, so that it finds duplicate names.
func parse(documents []scenario.Document) ([]scenario.Scenario, error) {
	return scenario.Parse(catalogue().Descriptions(), verdict.Builtin().Components(), documents...)
}

// load returns all scenarios: the built-in ones, and those of --scenarios and --file.
// The error joins all errors.
func (a *app) load() ([]scenario.Scenario, error) {
	documents := builtin()
	var errs []error
	for _, dir := range a.flags.folders {
		found, err := readDir(dir)
		documents = append(documents, found...)
		if err != nil {
			errs = append(errs, fmt.Errorf("--scenarios: %w", err))
		}
	}
	files, err := a.readFiles(a.flags.files)
	documents = append(documents, files...)
	if err != nil {
		errs = append(errs, err)
	}
	all, err := parse(documents)
	return all, errors.Join(append(errs, err)...)
}

// readDir reads the scenario files in a directory.
func readDir(dir string) ([]scenario.Document, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var documents []scenario.Document
	var errs []error
	for _, entry := range entries {
		if ext := filepath.Ext(entry.Name()); entry.IsDir() || ext != ".yaml" && ext != ".yml" {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		source, err := readFile(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		documents = append(documents, scenario.Document{File: path, Source: source})
	}
	if len(documents) == 0 && len(errs) == 0 {
		return nil, fmt.Errorf("%s has no scenario files (.yaml or .yml)", dir)
	}
	return documents, errors.Join(errs...)
}

// readFiles reads scenario files; "-" is standard input.
func (a *app) readFiles(paths []string) ([]scenario.Document, error) {
	var documents []scenario.Document
	var errs []error
	for i, path := range paths {
		if slices.Contains(paths[:i], path) {
			errs = append(errs, fmt.Errorf("%s is given twice", fileName(path)))
			continue
		}
		var source []byte
		var err error
		if path == "-" {
			source, err = readSource(a.stdin)
		} else {
			source, err = readFile(path)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("read scenario file: %w", err))
			continue
		}
		documents = append(documents, scenario.Document{File: fileName(path), Source: source})
	}
	return documents, errors.Join(errs...)
}

// readFile reads a scenario file.
func readFile(path string) (source []byte, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return readSource(file)
}

// readSource reads up to the maximum size of a scenario file plus one byte, with which
// the parser refuses it.
func readSource(r io.Reader) ([]byte, error) {
	return io.ReadAll(io.LimitReader(r, scenario.MaxSource+1))
}

func fileName(path string) string {
	if path == "-" {
		return stdinName
	}
	return path
}

// selected returns the scenarios that the command line selects: by name and by tag, or
// without either those of --file. It returns nil if the command line selects none.
func (a *app) selected(all []scenario.Scenario, names []string) ([]scenario.Scenario, error) {
	if len(names) == 0 && len(a.flags.tags) == 0 {
		var given []scenario.Scenario
		for _, s := range all {
			if slices.ContainsFunc(a.flags.files, func(path string) bool { return fileName(path) == s.File }) {
				given = append(given, s)
			}
		}
		return given, nil
	}
	return scenario.Select(all, names, a.flags.tags)
}

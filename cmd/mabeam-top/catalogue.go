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

// defaultTag is what runs in headless mode if nothing was asked for.
const defaultTag = "baseline"

// stdinName is what standard input is called in faults and reports.
const stdinName = "stdin"

// builtin returns the scenario files that the program carries.
func builtin() []scenario.Document {
	names, err := fs.Glob(scenarios.Files, "*.yaml")
	if err != nil {
		panic(err) // the pattern is right
	}
	documents := make([]scenario.Document, len(names))
	for i, name := range names {
		source, err := scenarios.Files.ReadFile(name)
		if err != nil {
			panic(err) // the file was listed just now
		}
		documents[i] = scenario.Document{File: "builtin:" + name, Source: source}
	}
	return documents
}

// parse reads scenario files together, so that no two scenarios have the same
// name.
func parse(documents []scenario.Document) ([]scenario.Scenario, error) {
	return scenario.Parse(catalogue().Descriptions(), verdict.Builtin().Components(), documents...)
}

// load reads all scenarios there are: those that the program carries, those of
// --scenarios, and those of --file. The error joins everything that is wrong.
func (a *app) load() ([]scenario.Scenario, error) {
	documents := builtin()
	var faults []error
	for _, folder := range a.flags.folders {
		found, err := readFolder(folder)
		documents = append(documents, found...)
		if err != nil {
			faults = append(faults, fmt.Errorf("--scenarios: %w", err))
		}
	}
	files, err := a.readFiles(a.flags.files)
	documents = append(documents, files...)
	if err != nil {
		faults = append(faults, err)
	}
	all, err := parse(documents)
	return all, errors.Join(append(faults, err)...)
}

// readFolder reads the scenario files of a folder.
func readFolder(folder string) ([]scenario.Document, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var documents []scenario.Document
	var faults []error
	for _, entry := range entries {
		if ext := filepath.Ext(entry.Name()); entry.IsDir() || ext != ".yaml" && ext != ".yml" {
			continue
		}
		path := filepath.Join(folder, entry.Name())
		source, err := readFile(path)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		documents = append(documents, scenario.Document{File: path, Source: source})
	}
	if len(documents) == 0 && len(faults) == 0 {
		return nil, fmt.Errorf("%s has no scenario files (.yaml or .yml)", folder)
	}
	return documents, errors.Join(faults...)
}

// readFiles reads scenario files; "-" is standard input.
func (a *app) readFiles(paths []string) ([]scenario.Document, error) {
	var documents []scenario.Document
	var faults []error
	for i, path := range paths {
		if slices.Contains(paths[:i], path) {
			faults = append(faults, fmt.Errorf("%s is given twice; leave one out", fileName(path)))
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
			faults = append(faults, fmt.Errorf("read scenario file: %w", err))
			continue
		}
		documents = append(documents, scenario.Document{File: fileName(path), Source: source})
	}
	return documents, errors.Join(faults...)
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

// readSource reads no more than it takes to see that it is too much.
func readSource(r io.Reader) ([]byte, error) {
	return io.ReadAll(io.LimitReader(r, scenario.MaxSource+1))
}

func fileName(path string) string {
	if path == "-" {
		return stdinName
	}
	return path
}

// selected returns the scenarios that the command line asks for: those named
// and those with a tag; without either, those of --file; nil if it asks for
// none.
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

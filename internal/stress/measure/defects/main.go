// Command defects shows which defects the measurements detect. It builds the program with
// one planted defect of the runtime after the other, runs the scenarios that exercise the
// defect, and reports the metrics that fail.
//
//	go run ./internal/stress/measure/defects [flags] [NAME ...]
//
// A defect is a patch in internal/stress/measure/testdata/defects. Patches are applied to
// copies; the checkout does not change. The name healthy is the build without a defect,
// which must pass. The exit code is 1 if a defect was not detected or not tried, or if the
// healthy build failed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// A call is the parsed command line.
type call struct {
	names    []string
	fast     bool
	check    bool
	tag      string
	all      bool
	smokeToo bool
	markdown bool
	keep     string
	timeout  time.Duration
}

func parseCall(args []string, out io.Writer) (call, error) {
	var c call
	flags := flag.NewFlagSet("defects", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.BoolVar(&c.fast, "fast", false, "try only the defects of the subset for CI")
	flags.BoolVar(&c.check, "check", false, "only apply and compile each patch")
	flags.StringVar(&c.tag, "tag", "", "run the scenarios with this `tag`, such as smoke, instead of those that exercise the defect")
	flags.BoolVar(&c.all, "all", false, "run the whole catalogue, as mabeam-top --headless does, instead of the scenarios that exercise the defect")
	flags.BoolVar(&c.smokeToo, "smoke", false, "also run the tag smoke, for the column smoke")
	flags.BoolVar(&c.markdown, "md", false, "print the Markdown table of docs/reference/planted-defects.md")
	flags.StringVar(&c.keep, "keep", "", "keep the binaries in this `folder`, and reuse those in it")
	flags.DurationVar(&c.timeout, "timeout", 10*time.Minute, "interrupt a run that takes longer")
	flags.Usage = func() {
		_, _ = fmt.Fprintf(out, "Usage: go run ./internal/stress/measure/defects [flags] [NAME ...]\n\nNAME is a patch in %s, or healthy; without one all are tried.\n\n", folder)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	c.names = flags.Args()
	if c.all && c.tag != "" {
		return c, errors.New("-all and -tag exclude each other")
	}
	return c, nil
}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) (exit int) {
	c, err := parseCall(args, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(os.Stderr, "defects:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ok, err := c.run(ctx, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "defects:", err)
	}
	if err != nil || !ok {
		return 1
	}
	return 0
}

// run tries the defects and writes a row for each. It returns false if a defect was not
// detected, or the healthy build failed.
func (c call) run(ctx context.Context, out io.Writer) (ok bool, err error) {
	root, err := findRoot()
	if err != nil {
		return false, err
	}
	all, err := readDefects(root)
	if err != nil {
		return false, err
	}
	chosen, err := choose(all, c.names, c.fast)
	if err != nil {
		return false, err
	}
	if c.check {
		return checkAll(ctx, root, chosen, out)
	}
	work, err := os.MkdirTemp("", "defects-")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(work) }()
	t := trial{call: c, root: root, state: filepath.Join(work, "state"), binaries: work}
	if c.keep != "" {
		if t.binaries, err = filepath.Abs(c.keep); err != nil {
			return false, err
		}
		if err := os.MkdirAll(t.binaries, 0o755); err != nil {
			return false, err
		}
	}
	if t.sources, err = fingerprint(root); err != nil {
		return false, err
	}
	table := newTable(out, c)
	ok = true
	for _, d := range chosen {
		r, smoke := t.try(ctx, d)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		ok = table.add(r, smoke) && ok
	}
	table.end()
	return ok, nil
}

// checkAll applies and compiles each defect.
func checkAll(ctx context.Context, root string, defects []defect, out io.Writer) (ok bool, err error) {
	ok = true
	for _, d := range defects {
		if err := d.compile(ctx, root); err != nil {
			if ctx.Err() != nil || errors.Is(err, errNoGit) {
				return false, err
			}
			_, _ = fmt.Fprintf(out, "%s: %v\n", d.name, err)
			ok = false
		}
	}
	if ok {
		_, _ = fmt.Fprintf(out, "%d builds compile\n", len(defects))
	}
	return ok, nil
}

// A trial tries one defect after the other.
type trial struct {
	call
	root, state, binaries string
	sources               []byte
}

// try builds a defect and runs it. The second result is that of the tag smoke, if
// requested, or nil.
func (t trial) try(ctx context.Context, d defect) (result, *result) {
	binary := filepath.Join(t.binaries, d.binaryName(t.sources))
	if err := d.build(ctx, t.root, binary); err != nil {
		return result{defect: d, outcome: failed, err: err}, nil
	}
	if t.keep == "" {
		defer func() { _ = os.Remove(binary) }()
	}
	args := d.scenarios
	switch {
	case t.tag != "":
		args = []string{"--tag", t.tag}
	case t.all:
		args = nil
	}
	r := measure(ctx, d, binary, t.state, args, t.tag != "", t.timeout)
	if !t.smokeToo {
		return r, nil
	}
	smoke := measure(ctx, d, binary, t.state, []string{"--tag", "smoke"}, true, t.timeout)
	return r, &smoke
}

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/stress/verdict"
)

// listed is a scenario as list --json tells it.
type listed struct {
	Name            string   `json:"name"`
	Title           string   `json:"title"`
	Tags            []string `json:"tags"`
	Measurements    []string `json:"measurements"`
	EstimateSeconds float64  `json:"estimate_seconds"`
}

func (a *app) listCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the scenarios",
		Long: `Lists every scenario: its name, what it measures, its tags, and how long it
takes, roughly.`,
		Example: `  mabeam-top list
  mabeam-top list --scenarios ./mine --json`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			all, err := a.load()
			if err != nil {
				return err
			}
			if asJSON {
				return a.listJSON(all)
			}
			return a.listTable(all)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	a.addCatalogueFlags(cmd.Flags())
	return cmd
}

func (a *app) listJSON(all []scenario.Scenario) error {
	entries := make([]listed, len(all))
	for i, s := range all {
		entries[i] = listed{
			Name: s.Name, Title: s.Title, Tags: s.Tags, Measurements: measurementsOf(s),
			EstimateSeconds: s.Estimate().Seconds(),
		}
	}
	text, err := json.MarshalIndent(entries, "", "  ")
	if err != nil {
		return failure{fmt.Errorf("list the scenarios: %w", err)}
	}
	return a.print(append(text, '\n'))
}

func (a *app) listTable(all []scenario.Scenario) error {
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tTITLE\tTAGS\tTAKES")
	for _, s := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t~%s\n", s.Name, s.Title, strings.Join(s.Tags, ","), max(s.Estimate().Round(time.Second), time.Second))
	}
	if err := w.Flush(); err != nil {
		return failure{fmt.Errorf("list the scenarios: %w", err)}
	}
	return a.print(table.Bytes())
}

// measurementsOf returns what a scenario measures, in its order, each once.
func measurementsOf(s scenario.Scenario) []string {
	var names []string
	for _, step := range s.Steps() {
		if !slices.Contains(names, step.Measurement.Name) {
			names = append(names, step.Measurement.Name)
		}
	}
	return names
}

func (a *app) showCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show SCENARIO",
		Short: "Print a scenario file with every default filled in",
		Example: `  mabeam-top show event-stress
  mabeam-top show event-stress > mine.yaml     # a start for one of your own`,
		Args:              exactly(1, "one scenario"),
		ValidArgsFunction: a.completeScenarios,
		RunE: func(_ *cobra.Command, names []string) error {
			all, err := a.load()
			if err != nil {
				return err
			}
			selected, err := scenario.Select(all, names, nil)
			if err != nil {
				return err
			}
			return a.print(scenario.Show(selected[0]))
		},
	}
	a.addCatalogueFlags(cmd.Flags())
	return cmd
}

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE ...",
		Short: "Tell all that is wrong with scenario files",
		Long: `Reads scenario files (- is standard input) as a run would, together with the
built-in ones, and tells everything that is wrong with them, each as
FILE:LINE:COLUMN: MESSAGE on standard error. The exit code is 2 if anything is.
A baseline that a step's parameters put out of reach is told too, but is no mistake.`,
		Example:               `  mabeam-top check mine.yaml`,
		DisableFlagsInUseLine: true,
		Args: func(cmd *cobra.Command, files []string) error {
			if len(files) == 0 {
				return fmt.Errorf("check needs at least one file: %s", cmd.UseLine())
			}
			return nil
		},
		RunE: func(_ *cobra.Command, files []string) error {
			documents, err := a.readFiles(files)
			all, faults := parse(append(builtin(), documents...))
			if err := errors.Join(err, faults); err != nil {
				return err
			}
			var text strings.Builder
			for _, s := range all {
				if slices.ContainsFunc(documents, func(d scenario.Document) bool { return d.File == s.File }) {
					fmt.Fprintf(&text, "%s: %s is valid\n", s.File, s.Name)
					for _, warning := range s.Warnings(verdict.Builtin()) {
						a.warn(fmt.Errorf("%s: %s", s.File, warning))
					}
				}
			}
			return a.print([]byte(text.String()))
		},
	}
}

func (a *app) schemaCommand() *cobra.Command {
	kinds := []string{"report", "events", "scenario"}
	return &cobra.Command{
		Use:   "schema [report|events|scenario]",
		Short: "Print the JSON Schema of the report, events or scenario files",
		Long: `Prints a JSON Schema (2020-12): of the report (the default), of one line of the
event stream, or of a scenario file.`,
		Example:               `  mabeam-top schema scenario > scenario.schema.json   # for an editor`,
		ValidArgs:             kinds,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) > 1:
				return fmt.Errorf("schema needs at most one kind, not %d: %s", len(args), cmd.UseLine())
			case len(args) == 0 || args[0] == "report":
				return a.print([]byte(report.SchemaJSON()))
			case args[0] == "events":
				return a.print([]byte(stream.SchemaJSON()))
			case args[0] == "scenario":
				return a.print(scenario.Schema(catalogue().Descriptions()))
			}
			return fmt.Errorf("schema: unknown kind %q; expected one of %s", args[0], strings.Join(kinds, ", "))
		},
	}
}

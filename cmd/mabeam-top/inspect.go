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

// A listEntry is a scenario in the output of list --json.
type listEntry struct {
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
		Long:  `Lists all scenarios with their titles, tags and approximate durations.`,
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
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	a.addCatalogueFlags(cmd.Flags())
	return cmd
}

func (a *app) listJSON(all []scenario.Scenario) error {
	entries := make([]listEntry, len(all))
	for i, s := range all {
		entries[i] = listEntry{
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

// measurementsOf returns the distinct measurements of a scenario, in its order.
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
		Short: "Print a scenario file with all defaults filled in",
		Example: `  mabeam-top show event-stress
  mabeam-top show event-stress > mine.yaml     # start your own scenario`,
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
		Short: "Check scenario files",
		Long: `Parses scenario files (- is standard input) together with the built-in ones, and
prints all errors to standard error as FILE:LINE:COLUMN: MESSAGE. With errors, the
exit code is 2. A baseline that the parameters of a step put out of reach is a
warning.`,
		Example:               `  mabeam-top check mine.yaml`,
		DisableFlagsInUseLine: true,
		Args: func(cmd *cobra.Command, files []string) error {
			if len(files) == 0 {
				return fmt.Errorf("check: expected at least one file: %s", cmd.UseLine())
			}
			return nil
		},
		RunE: func(_ *cobra.Command, files []string) error {
			documents, err := a.readFiles(files)
			all, parseErr := parse(append(builtin(), documents...))
			if err := errors.Join(err, parseErr); err != nil {
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
		Short: "Print the JSON Schema of reports, events or scenario files",
		Long: `Prints a JSON Schema (2020-12) of a report (default), of a line of the event
stream, or of a scenario file.`,
		Example:               `  mabeam-top schema scenario > scenario.schema.json   # for an editor`,
		ValidArgs:             kinds,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) > 1:
				return fmt.Errorf("schema: expected at most one kind, got %d arguments: %s", len(args), cmd.UseLine())
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

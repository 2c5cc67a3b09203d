package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mabeam-top/internal/stress"
	"mabeam-top/internal/stress/scenario"
	"mabeam-top/internal/ui/theme"
)

// childCommand is the hidden command with which the program starts itself as a child
// process.
const childCommand = "child"

const about = `Runs stress scenarios against a multi-agent runtime, shows live charts, and
prints a report with a verdict.

Without --headless, --json or --events it starts the terminal UI. Scenarios that
are named or selected by --tag start at once. If there are none, those of --file
start. Without a file, the UI shows a menu, and a headless run selects the tag
baseline.`

const examples = `  mabeam-top                                   show the menu
  mabeam-top event-stress                      run a scenario in the UI
  mabeam-top --headless                        run the tag baseline
  mabeam-top --json --tag smoke > report.json  print a report for a script
  mabeam-top --headless -f mine.yaml -o mine.json
  mabeam-top --headless release-gate --baseline v1 --fail-on-regression
  mabeam-top --headless agent-creation --set agents=20000 --repeat 5`

const exitCodes = `  0    all verdicts are pass or warn
  1    a verdict is fail, or --fail-on-regression found a regression
  2    invalid arguments or scenario file; nothing ran
  3    a scenario could not be measured (error, timeout, inconclusive), or the
       report could not be written
  130  interrupted (SIGINT), 143 terminated (SIGTERM): the report covers the
       finished repetitions; a second signal, at least 0.25 s later, stops the
       program at once`

// rootCommand returns the command with all of its subcommands.
func (a *app) rootCommand() *cobra.Command {
	t := tool()
	root := &cobra.Command{
		Use:     "mabeam-top [flags] [SCENARIO ...]",
		Short:   "Run stress scenarios against a multi-agent runtime",
		Long:    about,
		Example: examples,
		Version: fmt.Sprintf("%s (commit %s, %s)", t.Version, t.Commit, t.Go),
		Args:    cobra.ArbitraryArgs,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return emptyFlags(cmd.Flags())
		},
		RunE: func(cmd *cobra.Command, names []string) error {
			a.given = given(cmd.Flags())
			return a.runScenarios(names)
		},

		ValidArgsFunction: a.completeScenarios,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		SilenceErrors:     true,
		SilenceUsage:      true,
	}
	root.SetVersionTemplate("mabeam-top {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(helpCommand(root))
	cobra.EnableCommandSorting = false
	root.Flags().SortFlags = false
	a.addRunFlags(root.Flags())
	root.AddCommand(a.listCommand(), a.showCommand(), a.checkCommand(), a.compareCommand(), a.reportCommand(), a.replayCommand(), a.schemaCommand(), a.completionCommand(), a.childCommand())
	inherited := root.UsageFunc()
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		if cmd != root {
			return inherited(cmd)
		}
		_, err := io.WriteString(cmd.OutOrStdout(), usage(cmd))
		return err
	})
	for flag, values := range map[string][]string{
		"isolate": whens, "color": whens, "theme": theme.Names(),
	} {
		mustRegister(root.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)))
	}
	mustRegister(root.RegisterFlagCompletionFunc("tag", a.completeTags))
	mustRegister(root.RegisterFlagCompletionFunc("baseline", completeBaselines))
	mustRegister(root.MarkFlagFilename("file", "yaml", "yml"))
	mustRegister(root.MarkFlagDirname("scenarios"))
	return root
}

// helpCommand returns the command help, for users who do not know --help.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:    "help [COMMAND]",
		Hidden: true,
		RunE: func(_ *cobra.Command, names []string) error {
			cmd, rest, err := root.Find(names)
			if err != nil || len(rest) > 0 {
				return fmt.Errorf("unknown command %q; see mabeam-top --help", strings.Join(names, " "))
			}
			cmd.InitDefaultHelpFlag()
			cmd.InitDefaultVersionFlag()
			return cmd.Help()
		},
	}
}

// mustRegister panics on an error, which means that a flag's name is misspelled here.
func mustRegister(err error) {
	if err != nil {
		panic(err)
	}
}

// usage returns the part of the help after the description.
func usage(cmd *cobra.Command) string {
	var w strings.Builder
	fmt.Fprintf(&w, "Usage:\n  %s\n  %s [command]\n\nExamples:\n%s\n\nCommands:\n", cmd.Use, cmd.Name(), cmd.Example)
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			fmt.Fprintf(&w, "  %-12s %s\n", sub.Name(), sub.Short)
		}
	}
	for _, group := range []string{groupSelect, groupOverride, groupCompare, groupOutput, groupProfiles, groupAppearance, groupOther} {
		set := pflag.NewFlagSet("", pflag.ContinueOnError)
		set.SortFlags = false
		cmd.Flags().VisitAll(func(flag *pflag.Flag) {
			own := groupOther // for example --help, which cobra adds
			if names := flag.Annotations[flagGroup]; len(names) > 0 {
				own = names[0]
			}
			if own == group {
				set.AddFlag(flag)
			}
		})
		fmt.Fprintf(&w, "\n%s:\n%s", group, set.FlagUsagesWrapped(80))
	}
	fmt.Fprintf(&w, "\nExit codes:\n%s\n\nUse \"%s COMMAND --help\" for help about a command.\n", exitCodes, cmd.Name())
	return w.String()
}

// exactly requires a number of arguments.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return fmt.Errorf("%s: expected %s, got %d arguments: %s", cmd.Name(), what, len(args), cmd.UseLine())
		}
		return nil
	}
}

// noArguments refuses arguments.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s: expected no arguments, got %q", cmd.Name(), args)
	}
	return nil
}

func (a *app) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish"}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Print the completion script of a shell",
		Long:  `Prints a script with which a shell completes commands, flags, scenarios and tags.`,
		Example: `  source <(mabeam-top completion bash)
  mabeam-top completion zsh > "${fpath[1]}/_mabeam-top"
  mabeam-top completion fish > ~/.config/fish/completions/mabeam-top.fish`,
		ValidArgs:             shells,
		Args:                  exactly(1, "one shell"),
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			var script strings.Builder
			var err error
			switch args[0] {
			case "bash":
				err = cmd.Root().GenBashCompletionV2(&script, true)
			case "zsh":
				err = cmd.Root().GenZshCompletion(&script)
			case "fish":
				err = cmd.Root().GenFishCompletion(&script, true)
			default:
				return fmt.Errorf("completion: unknown shell %q; expected one of %s", args[0], strings.Join(shells, ", "))
			}
			if err != nil {
				return failure{fmt.Errorf("generate the completion script: %w", err)}
			}
			return a.print([]byte(script.String()))
		},
	}
}

func (a *app) childCommand() *cobra.Command {
	return &cobra.Command{
		Use:    childCommand,
		Short:  "Run a load for another process",
		Hidden: true,
		Args:   noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			leaveSignalsToParent()
			if err := stress.ServeChild(cmd.Context(), catalogue(), a.stdin, a.stdout); err != nil {
				return failure{err}
			}
			return nil
		},
	}
}

// completeScenarios completes the names of scenarios that are not on the command line.
func (a *app) completeScenarios(_ *cobra.Command, named []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	all, err := a.load()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var offered []cobra.Completion
	taken := make(map[string]bool)
	for _, name := range named {
		taken[name] = true
	}
	for _, s := range all {
		if !taken[s.Name] {
			offered = append(offered, cobra.CompletionWithDesc(s.Name, s.Title))
		}
	}
	return offered, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) completeTags(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	all, err := a.load()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return scenario.Tags(all), cobra.ShellCompDirectiveNoFileComp
}

// commandHint suggests a command for an unknown scenario.
func commandHint(root *cobra.Command, err error, name string) error {
	var names []string
	for _, sub := range root.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	if nearest := scenario.Nearest(name, names); nearest != "" {
		return errors.Join(err, fmt.Errorf("did you mean the command %q?", nearest))
	}
	return err
}

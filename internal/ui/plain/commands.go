package plain

import (
	"errors"
	"fmt"
	"strings"

	"mabeam-top/internal/stress/report/format"
	"mabeam-top/internal/ui/session"
)

// A command is what a line can begin with.
type command struct {
	name, args, doc string
	when            state
	do              func(c *console, args string) error
}

// A state is when a command is available.
type state int

const (
	always state = iota
	whileIdle
	whileRunning
	withReport // and while idle
)

// commands are all of them, in the order of the help. init sets it because help is
// one of them.
var commands []command

func init() {
	commands = []command{
		{"list", "[WORDS]", "list the scenarios, or those that contain the words", always, (*console).list},
		{"about", "SCENARIO", "describe a scenario with its steps, limits and parameters", always, (*console).about},
		{"set", "SCENARIO NAME=VALUE", "change a parameter for the next runs", always, (*console).set},
		{"run", "SCENARIO...", "run scenarios, by name or by number in the list", whileIdle, (*console).runScenarios},
		{"status", "", "report all figures now; the same as enter", whileRunning, (*console).status},
		{"verdicts", "", "report the state of every check", whileRunning, (*console).verdicts},
		{"agents", "[mailbox, rate or memory]", "report the busiest agents", whileRunning, (*console).agents},
		{"inspect", "AGENT", "report the state, mailbox and last events of an agent", whileRunning, (*console).inspectAgent},
		{"bus", "", "report the fullest subscriptions", whileRunning, (*console).bus},
		{"pause", "", "pause the load; paused time is not measured", whileRunning, (*console).pause},
		{"resume", "", "resume the load", whileRunning, (*console).resume},
		{"rate", "PERCENT", "set the offered load, in percent of the scenario's rate", whileRunning, (*console).setRate},
		{"fault", "[FAULT]", "inject a fault, such as kill_agents: 10; without a fault, list the faults", always, (*console).fault},
		{"every", "SECONDS", "set the interval of the figures", always, (*console).setInterval},
		{"stop", "", "stop the run and report what it measured", whileRunning, (*console).stop},
		{"report", "", "print the report again", withReport, func(c *console, _ string) error { c.printReport(); return nil }},
		{"export", "FILE", "export the report, in the format of the extension: " + strings.Join(format.Endings(), " "), withReport, (*console).export},
		{"baseline", "NAME", "save the report as baseline", withReport, (*console).saveBaseline},
		{"compare", "[BASELINE]", "compare the report with a baseline, or with the previous run", withReport, (*console).compare},
		{"rerun", "", "run the same scenarios again", withReport, (*console).rerun},
		{"past", "[WORDS]", "list past runs, newest first", whileIdle, (*console).listPast},
		{"open", "NUMBER", "print the report of a past run", whileIdle, (*console).openPast},
		{"replay", "NUMBER", "replay the recording of a past run", whileIdle, (*console).replayPast},
		{"help", "", "list the commands that are available now", always, (*console).help},
		{"quit", "", "quit; stops the load first", always, (*console).quit},
	}
}

// unavailable is why a command is not available now; nil if it is.
func (cmd command) unavailable(c *console) error {
	switch {
	case cmd.when == whileRunning && !c.running:
		return fmt.Errorf("%s needs a run, and none is running", cmd.name)
	case (cmd.when == whileIdle || cmd.when == withReport) && c.running:
		return fmt.Errorf("%s is not available during a run; stop ends it", cmd.name)
	case cmd.when == withReport && c.outcome.Report == nil:
		return fmt.Errorf("%s needs a report, and there is none yet", cmd.name)
	}
	return nil
}

// execute executes a line.
func (c *console) execute(line string) {
	name, args, _ := strings.Cut(strings.TrimSpace(line), " ")
	if name == "" { // enter alone
		name = "status"
		if !c.running {
			name = "help"
		}
	}
	cmd, err := find(name)
	if err == nil {
		err = cmd.unavailable(c)
	}
	if err == nil {
		err = cmd.do(c, strings.TrimSpace(args))
	}
	if err != nil {
		c.fail(err)
	}
}

// find returns the command of a name, or of its unique beginning.
func find(name string) (command, error) {
	var found []command
	var names []string
	for _, cmd := range commands {
		if cmd.name == name {
			return cmd, nil
		}
		if strings.HasPrefix(cmd.name, strings.ToLower(name)) {
			found, names = append(found, cmd), append(names, cmd.name)
		}
	}
	switch len(found) {
	case 0:
		return command{}, fmt.Errorf("unknown command %s; help lists the commands", name)
	case 1:
		return found[0], nil
	default:
		return command{}, fmt.Errorf("ambiguous command %s: %s", name, strings.Join(names, " or "))
	}
}

func (c *console) help(string) error {
	for _, cmd := range commands {
		if cmd.unavailable(c) == nil {
			c.print("%s: %s.", strings.TrimSpace(cmd.name+" "+cmd.args), cmd.doc)
		}
	}
	c.print("Commands can be shortened. Other commands are available at other times.")
	return nil
}

func (c *console) quit(string) error {
	c.quitting = true
	if c.running {
		return c.stop("")
	}
	return nil
}

func (c *console) stop(string) error {
	c.print("Stopping.")
	c.run.Stop()
	return nil
}

// scenario returns the scenario of a name, of its unique beginning, or of a number
// in the list.
func (c *console) scenario(text string) (session.Scenario, error) {
	if s, ok := c.catalogue.Find(text); ok {
		return s, nil
	}
	all := c.catalogue.Scenarios
	var n int
	if _, err := fmt.Sscanf(text, "%d", &n); err == nil && n >= 1 && n <= len(all) {
		return all[n-1], nil
	}
	if text == "" {
		return session.Scenario{}, errors.New("no scenario given; list lists the scenarios")
	}
	var found []session.Scenario
	var names []string
	for _, s := range all {
		if strings.HasPrefix(s.Name, text) {
			found, names = append(found, s), append(names, s.Name)
		}
	}
	switch len(found) {
	case 0:
		return session.Scenario{}, fmt.Errorf("unknown scenario %s; list lists the scenarios", text)
	case 1:
		return found[0], nil
	default:
		return session.Scenario{}, fmt.Errorf("ambiguous scenario %s: %s", text, strings.Join(names[:min(len(names), 5)], " or "))
	}
}

// number parses a number of a list, and returns its index.
func number(text string, of int, list string) (int, error) {
	var n int
	if _, err := fmt.Sscanf(text, "%d", &n); err != nil || n < 1 || n > of {
		if of == 0 {
			return 0, fmt.Errorf("the list is empty; %s fills it", list)
		}
		return 0, fmt.Errorf("expected a number from 1 to %d; %s lists them", of, list)
	}
	return n - 1, nil
}

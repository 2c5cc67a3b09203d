// Command mabeam-top runs stress scenarios against a multi-agent runtime. It
// shows live charts and prints a report with a verdict.
package main

import (
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// A reader that stops reading, such as head, must not end a run before the report
	// is in its files: then the write fails like any other.
	signal.Ignore(syscall.SIGPIPE)
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run executes a command line and returns its exit code. The terminal UI and colors
// need terminals, so their streams must be files.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{args: args, stdin: stdin, stdout: stdout, stderr: stderr}
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.Execute(); err != nil {
		a.reportError(err)
		return codeOf(err)
	}
	return a.code
}

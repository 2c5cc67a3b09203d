// Command mabeam-top runs a multi-agent runtime and stress scenarios against
// it. It shows live charts meanwhile and ends in a report with a verdict.
package main

import (
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// A reader who goes away, such as head, must not end a run before its
	// report is in its files: writing then fails like any other write.
	signal.Ignore(syscall.SIGPIPE)
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run carries out a command line and returns its exit code. The terminal UI
// and the colours need streams that are terminals, which only an *os.File can
// be.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{args: args, stdin: stdin, stdout: stdout, stderr: stderr}
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.Execute(); err != nil {
		a.tell(err)
		return codeOf(err)
	}
	return a.code
}

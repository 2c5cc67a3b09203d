package probes_test

import (
	"fmt"
	"os"
	"time"

	"mabeam-top/internal/probes"
	"mabeam-top/internal/probes/probe"
)

// docs/how-to/add-a-probe.md shows this file's source.

// environment reads the size of the process's environment.
type environment struct{}

func (environment) Read(_ time.Time, put func(name probe.Name, value float64)) {
	put("environment_variables", float64(len(os.Environ())))
}

func ExampleSource() {
	_, sample := probes.New(time.Second, environment{}).Sample()
	fmt.Println(sample["environment_variables"] == float64(len(os.Environ())))
	// Output:
	// true
}

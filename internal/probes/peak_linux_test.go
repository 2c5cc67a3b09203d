package probes

import (
	"runtime"
	"testing"
)

// Memory that was held once stays in the peak.
func TestPeakMemory(t *testing.T) {
	const held = 64 << 20
	before, err := PeakMemory()
	if err != nil {
		t.Fatal(err)
	}
	memory := make([]byte, held)
	for i := 0; i < len(memory); i += 4096 {
		memory[i] = 1
	}
	runtime.KeepAlive(memory)
	after, err := PeakMemory()
	if err != nil {
		t.Fatal(err)
	}
	// The kernel counts pages for each processor apart and adds them up now and then,
	// so that two readings of one peak differ by some.
	const inexact = 1 << 20
	if before < 1<<20 || after < held || after < before-inexact {
		t.Errorf("the peak was %d, and is %d after 64 MiB were held", before, after)
	}
}

func TestStatusThatDoesNotTell(t *testing.T) {
	for _, text := range []string{"", "VmRSS:\t 12 kB\n", "VmHWM:\n", "VmHWM:\t many kB\n"} {
		if kib, err := statusKiB([]byte(text), "VmHWM"); err == nil {
			t.Errorf("%q: %d", text, kib)
		}
	}
}

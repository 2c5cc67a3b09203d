package probes

import (
	"runtime"
	"testing"
)

// The peak includes memory that is free again.
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
	// The kernel counts pages per CPU and adds them up from time to time, so two readings
	// of the same peak differ.
	const inexact = 1 << 20
	if before < 1<<20 || after < held || after < before-inexact {
		t.Errorf("the peak was %d, and is %d after 64 MiB were held", before, after)
	}
}

func TestStatusWithoutField(t *testing.T) {
	for _, text := range []string{"", "VmRSS:\t 12 kB\n", "VmHWM:\n", "VmHWM:\t many kB\n"} {
		if kib, err := statusKiB([]byte(text), "VmHWM"); err == nil {
			t.Errorf("%q: %d", text, kib)
		}
	}
}

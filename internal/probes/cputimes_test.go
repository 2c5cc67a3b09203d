package probes

import (
	"testing"
	"time"
)

// The CPU time of this process counts as its own and as that of the machine.
func TestCPUTimes(t *testing.T) {
	before, err := ReadCPUTimes()
	if err != nil {
		t.Skip(err)
	}
	for began := time.Now(); ; {
		now, err := ReadCPUTimes()
		if err != nil {
			t.Fatal(err)
		}
		d := now.Sub(before)
		if d.Own >= 0.2 && d.Busy >= d.Own/2 && d.Total >= d.Busy+d.Stolen {
			return
		}
		if time.Since(began) > 30*time.Second {
			t.Fatalf("after 30 s of work the difference is %+v", d)
		}
	}
}

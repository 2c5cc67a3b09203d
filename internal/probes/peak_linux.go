package probes

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// PeakMemory returns the peak resident memory of this process in bytes.
func PeakMemory() (int64, error) { return StatusBytes("VmHWM") }

// StatusBytes returns the field of /proc/self/status with that name, in bytes.
func StatusBytes(name string) (int64, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("read the memory of this process: %w", err)
	}
	kib, err := statusKiB(text, name)
	if err != nil {
		return 0, fmt.Errorf("read the memory of this process: %w", err)
	}
	return kib << 10, nil
}

// statusKiB parses a field of /proc/PID/status, whose lines are "NAME: N kB".
func statusKiB(text []byte, name string) (int64, error) {
	for line := range bytes.Lines(text) {
		fields := bytes.Fields(line)
		if len(fields) == 3 && string(fields[0]) == name+":" {
			return strconv.ParseInt(string(fields[1]), 10, 64)
		}
	}
	return 0, errors.New("the kernel does not report " + name)
}

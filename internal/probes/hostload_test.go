package probes

import (
	goruntime "runtime"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v3/cpu"
)

func TestCPUShare(t *testing.T) {
	type reading struct {
		times   cpu.TimesStat
		percent float64 // -1: absent
	}
	for name, readings := range map[string][]reading{
		"half busy": {
			{cpu.TimesStat{User: 100, Idle: 300}, -1},
			{cpu.TimesStat{User: 101, Idle: 301}, 50},
		},
		"since the previous reading, not since the start": {
			{cpu.TimesStat{User: 100}, -1},
			{cpu.TimesStat{User: 100, Idle: 10}, 0},
			{cpu.TimesStat{User: 110, Idle: 10}, 100},
		},
		"every kind of work counts, guests not twice": {
			{cpu.TimesStat{User: 1}, -1},
			{cpu.TimesStat{User: 2, System: 1, Nice: 1, Irq: 1, Softirq: 1, Steal: 1, Guest: 1, GuestNice: 1, Idle: 6}, 50},
		},
		"waiting for a disk is not busy": {
			{cpu.TimesStat{User: 1}, -1},
			{cpu.TimesStat{User: 2, Iowait: 3}, 25},
		},
		"too soon, but counted by the next one": {
			{cpu.TimesStat{User: 100}, -1},
			{cpu.TimesStat{User: 100.01, Idle: 0.02}, -1},
			{cpu.TimesStat{User: 100.02, Idle: 0.06}, 25},
		},
		"idle time that falls": {
			{cpu.TimesStat{User: 1, Idle: 1}, -1},
			{cpu.TimesStat{User: 2, Idle: 0.99}, 100},
		},
		"a platform without CPU times": {
			{cpu.TimesStat{}, -1},
			{cpu.TimesStat{}, -1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var c cpuShare
			for i, in := range readings {
				got, ok := c.next(in.times)
				if !ok {
					got = -1
				}
				within(t, "percent", got, in.percent-1e-6, in.percent+1e-6)
				if t.Failed() {
					t.Fatalf("reading %d", i)
				}
			}
		})
	}
}

func TestHostLoad(t *testing.T) {
	if goruntime.GOOS != "linux" {
		t.Skip("other platforms may not report it")
	}
	h := HostLoad()
	first := read(h, epoch)
	absent(t, first, "host_cpu_percent")
	within(t, "host_memory_percent", first["host_memory_percent"], 0.01, 99.99)
	burn(t, 200*time.Millisecond)
	// One CPU of this host was busy.
	within(t, "host_cpu_percent", read(h, epoch)["host_cpu_percent"], 0.01, 100)
}

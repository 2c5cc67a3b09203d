package load

import (
	"errors"
	"strings"
	"testing"

	"mabeam-top/internal/probes"
)

func TestLagCause(t *testing.T) {
	for _, c := range []struct {
		name    string
		used    usage
		usable  float64
		cause   LagCause
		message string
	}{
		{
			"the system under test burns CPU",
			usage{probes.CPUTimes{Own: 7.9, Busy: 8.2, Total: 10}, 1000},
			1, SystemUnderTest, "other programs used 3 % of the processors, and this process 79 %",
		},
		{
			"other programs do",
			usage{probes.CPUTimes{Own: 3, Busy: 7.3, Total: 10}, 1000},
			1, OtherPrograms, "other programs used 43 % of the processors",
		},
		{
			"both do",
			usage{probes.CPUTimes{Own: 7, Busy: 9, Total: 10}, 1000},
			1, OtherPrograms, "other programs used 20 %",
		},
		{
			"a hypervisor does",
			usage{probes.CPUTimes{Own: 7, Busy: 7.1, Stolen: 2, Total: 10}, 1000},
			1, OtherPrograms, "other machines on the same host 20 %",
		},
		{
			"nobody does",
			usage{probes.CPUTimes{Own: 1, Busy: 1.3, Total: 10}, 1000},
			1, OtherPrograms, "did not wake the generator",
		},
		{
			"the generator does",
			usage{probes.CPUTimes{Own: 9.5, Busy: 9.7, Total: 10}, 3_000_000},
			1, Generator, "60 % of the processors itself",
		},
		{
			// 4 of 64 processors are usable, and others use 20 of those that are not.
			"the system under test burns what it may use",
			usage{probes.CPUTimes{Own: 3.9, Busy: 24, Total: 64}, 1000},
			4.0 / 64, SystemUnderTest, "system under test",
		},
		{
			"the tick of the kernel counts less than this process used",
			usage{probes.CPUTimes{Own: 0.19, Busy: 0.18, Total: 0.2}, 1000},
			1, SystemUnderTest, "other programs used 0 %",
		},
	} {
		b := c.used.diagnose(0.05, c.usable, func() float64 { return 2e-6 })
		if b.Cause != c.cause || !strings.Contains(b.String(), c.message) || !strings.Contains(b.String(), "5 % of the operations late") {
			t.Errorf("%s: %q: %s", c.name, b.Cause, b)
		}
	}
}

// Only the intervals in which operations started late count.
func TestLagMeterLooksAtItsTime(t *testing.T) {
	var now probes.CPUTimes
	m := LagMeter{ReadProcessors: func() (probes.CPUTimes, error) { return now, nil }, Cost: func() float64 { return 0 }}
	pass := func(own, others float64) {
		now = now.Add(probes.CPUTimes{Own: own, Busy: own + others, Total: 0.2})
	}
	begin := func(late, started int64) { m.late.Store(late); m.begin(started) }
	sample := func(late, started int64) { m.late.Store(late); m.sample(started) }
	pass(0.1, 0.1)
	begin(5, 0)
	for range 10 {
		pass(0.02, 0.18) // others, and no operation was late
		sample(5, 10)
	}
	pass(0.19, 0)
	sample(9, 20)
	pass(0.02, 0.18)
	sample(9, 30)
	if b := m.diagnose(0.1); b.Cause != SystemUnderTest || b.Own < 0.94 || b.Others != 0 {
		t.Errorf("%+v", b)
	}
	// After its end nothing is known.
	sample(12, 40)
	if b := m.diagnose(0.1); b.Cause != OtherPrograms || b.Known {
		t.Errorf("%+v", b)
	}
	begin(0, 0)
	m.ReadProcessors = func() (probes.CPUTimes, error) { return now, errors.New("no /proc") }
	sample(9, 9)
	if b := m.diagnose(0.1); b.Cause != OtherPrograms || b.Known || !strings.Contains(b.String(), "too slow or too busy") {
		t.Errorf("%+v", b)
	}
}

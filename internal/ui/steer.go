package ui

import (
	"errors"
	"fmt"
	"math"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"mabeam-top/internal/stress/stream"
)

// A FaultKind is a fault that can be injected by hand.
type FaultKind struct {
	// Name is what scenario files call it, and Doc says in one sentence what it
	// does.
	Name, Doc string
	// Example is the fault as a scenario file has it, with a sensible number.
	Example string
}

// The bounds of the factor that the rates of a load can be given by a key, and the
// step from one to the next: a tenth of what the scenario asks for. They are narrower
// than those of a command, so that every step on the way is one of these.
const (
	minRate, maxRate = 0.1, 10.0
	rateStep         = 0.1
)

// steerActions are the keys that change the load. They are there whatever is on
// the screen; what cannot be steered says so. In a list, k goes up.
func (m *model) steerActions(inList bool) []action {
	pause, fault := keyPause, keyFault
	if m.live.paused {
		pause = keyResume
	}
	if inList {
		fault = keyFaultInList
	}
	rate := func(by float64) action { return act(keyFaster, func() { m.setRate(by) }) }
	slower, faster := rate(-rateStep), rate(rateStep)
	slower.key = keySlower
	if !m.loading() {
		// They only say why they do not work.
		pause, slower.key, faster.key, fault = also(pause.Keys()...), also(slower.key.Keys()...), also(faster.key.Keys()...), also(fault.Keys()...)
	}
	return []action{
		act(pause, func() { m.setPaused(!m.live.paused) }),
		slower, faster,
		act(fault, m.chooseFault),
	}
}

// command passes a command on, and tells what came of it: said if it is on its
// way, else why it is not.
func (m *model) command(c stream.Command, said string) bool {
	err := m.refusal()
	if err == nil {
		err = m.run.command(c)
	}
	if err != nil {
		m.notice = notice{text: strings.TrimSpace(err.Error()), bad: true}
		return false
	}
	m.notice = notice{text: said}
	return true
}

// refusal says why no command can be given now; nil if one can.
func (m *model) refusal() error {
	switch {
	case m.run.replay != nil:
		return errors.New("this is a recording: what happened cannot be changed")
	case !m.running:
		return errors.New("the run is over: there is no load to steer")
	case m.run.stopped:
		return errors.New("the load is being stopped")
	case m.run.steer.Load() == nil:
		return stream.ErrNotSteerable
	}
	return nil
}

func (m *model) setPaused(paused bool) {
	said := "the load goes on"
	if paused {
		said = "the load is held until p is pressed again; the time until then is part of no measurement"
	}
	if m.command(stream.Command{Do: stream.SetPaused, Paused: paused}, said) {
		m.live.paused = paused
	}
}

// setRate changes the factor of the rates. Only open loads have a rate: of a
// closed one the log says that nothing came of it.
func (m *model) setRate(by float64) {
	rate := math.Round((m.live.rate+by)/rateStep) * rateStep
	if rate < minRate-1e-9 || rate > maxRate+1e-9 {
		m.notice = notice{text: fmt.Sprintf("the rate can be set from %s to %s of what the scenario asks for", factor(minRate), factor(maxRate)), bad: true}
		return
	}
	if m.command(stream.Command{Do: stream.SetRate, Rate: rate}, "the rate is set to "+factor(rate)+" of what the scenario asks for") {
		m.live.rate = rate
	}
}

// factor writes what rates are multiplied by.
func factor(rate float64) string { return fmt.Sprintf("%.0f %%", 100*rate) }

// chooseFault asks which fault is to be injected, and how often.
func (m *model) chooseFault() {
	err := m.refusal()
	if err == nil && len(m.cfg.Faults) == 0 {
		err = stream.ErrNotSteerable
	}
	if err != nil {
		m.notice = notice{text: err.Error(), bad: true}
		return
	}
	choices := make([]choice, len(m.cfg.Faults))
	for i, f := range m.cfg.Faults {
		choices[i] = choice{f.Name, f.Doc}
	}
	m.dialog = choose("Inject a fault now", choices, func(number int) tea.Cmd {
		f := m.cfg.Faults[number]
		m.dialog = prompt("Inject now", f.Example, m.checkFault, func(text string) tea.Cmd {
			m.command(stream.Command{Do: stream.InjectFault, Fault: text}, "asked for "+text)
			return nil
		})
		m.dialog.ofRun = true
		return nil
	})
	m.dialog.ofRun = true
}

// checkFault tells what is wrong with a fault, before anybody is asked for it.
func (m *model) checkFault(text string) (string, error) {
	if text == "" {
		return "", errors.New("a fault and how often, such as kill_agents: 10")
	}
	if m.cfg.CheckFault != nil {
		if err := m.cfg.CheckFault(text); err != nil {
			return "", err
		}
	}
	return "as a scenario file has it; injected at once", nil
}

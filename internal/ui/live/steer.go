package live

import (
	"errors"
	"fmt"
	"math"

	tea "github.com/charmbracelet/bubbletea"

	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/screen"
	"mabeam-top/internal/ui/session"
)

var (
	pauseKey       = screen.Bind("p", "pause", "p").Help("Pause the load")
	resumeKey      = screen.Bind("p", "resume", "p").Help("Resume the load")
	slowerKey      = screen.Bind("[ ]", "load", "[").Help("Decrease / increase the offered load by 10 %")
	fasterKey      = screen.Also("]")
	faultKey       = screen.Bind("k", "fault", "k", "K").Help("Inject a fault")
	faultInListKey = screen.Bind("K", "fault", "K").Help("Inject a fault")
)

// rateStep is the step of the factor of the rates.
const rateStep = 0.1

// steerActions are the keys that change the load. Those that cannot work now have
// no text, and say why they do not work. In a list, k moves up.
func (s *Screen) steerActions(inList bool) []screen.Action {
	pause, slower, fault := pauseKey, slowerKey, faultKey
	if s.paused {
		pause = resumeKey
	}
	if inList {
		fault = faultInListKey
	}
	if !s.Loading() {
		pause, slower, fault = pause.Unnamed(), slower.Unnamed(), fault.Unnamed()
	}
	return []screen.Action{
		screen.Act(pause, func() { s.setPaused(!s.paused) }),
		screen.Act(slower, func() { s.changeRate(-rateStep) }),
		screen.Act(fasterKey, func() { s.changeRate(rateStep) }),
		screen.Act(fault, s.chooseFault),
	}
}

// command sends a command to the run. It reports whether the run took it, and
// otherwise shows why not.
func (s *Screen) command(c stream.Command) bool {
	err := s.notSteerable()
	if err == nil {
		err = s.run.Command(c)
	}
	if err != nil {
		s.host.Fail(err)
	}
	return err == nil
}

// notSteerable is why the run takes no commands now.
func (s *Screen) notSteerable() error {
	switch {
	case s.run.Replay != nil:
		return errors.New("a recording cannot be steered")
	case !s.running:
		return errors.New("the run has ended: there is no load to steer")
	case s.run.Stopped():
		return errors.New("the load is stopping")
	case !s.run.Steerable():
		return stream.ErrNotSteerable
	}
	return nil
}

func (s *Screen) setPaused(paused bool) {
	if !s.command(stream.Command{Do: stream.SetPaused, Paused: paused}) {
		return
	}
	s.paused = paused
	if paused {
		s.host.Notify("Paused. Press p to resume; paused time is not measured.")
	} else {
		s.host.Notify("Resumed.")
	}
}

// changeRate changes the factor of the rates. Only open loads have a rate.
func (s *Screen) changeRate(by float64) {
	rate := math.Round((s.rate+by)/rateStep) * rateStep
	if rate < session.MinRate-1e-9 || rate > session.MaxRate+1e-9 {
		s.host.Fail(fmt.Errorf("the offered load can be set from %s to %s", session.RateText(session.MinRate), session.RateText(session.MaxRate)))
		return
	}
	if s.command(stream.Command{Do: stream.SetRate, Rate: rate}) {
		s.rate = rate
		s.host.Notify("Offered load set to %s.", session.RateText(rate))
	}
}

// chooseFault asks which fault to inject.
func (s *Screen) chooseFault() {
	err := s.notSteerable()
	if err == nil && len(s.config.Faults) == 0 {
		err = stream.ErrNotSteerable
	}
	if err != nil {
		s.host.Fail(err)
		return
	}
	choices := make([]screen.Choice, len(s.config.Faults))
	for i, f := range s.config.Faults {
		choices[i] = screen.Choice{Name: f.Name, Note: f.Doc}
	}
	d := s.host.Choose("Inject a fault", choices, 0, func(i int) tea.Cmd {
		d := s.host.Prompt("Inject fault", s.config.Faults[i].Example, s.checkFault, func(text string) tea.Cmd {
			if s.command(stream.Command{Do: stream.InjectFault, Fault: text}) {
				s.host.Notify("Requested %s.", text)
			}
			return nil
		})
		d.OfRun = true
		return nil
	})
	d.OfRun = true
}

// checkFault checks a fault before it is sent to the run.
func (s *Screen) checkFault(text string) (string, error) {
	if text == "" {
		return "", errors.New("enter a fault, such as kill_agents: 10")
	}
	if s.config.CheckFault != nil {
		if err := s.config.CheckFault(text); err != nil {
			return "", err
		}
	}
	return "same syntax as in scenario files", nil
}

// Pause pauses the load or the replay while the program is suspended. paused
// reports whether the load is paused by now; it is nil if there is nothing to wait
// for. resume undoes it.
func (s *Screen) Pause() (paused func() bool, resume func()) {
	switch {
	case s.replaying():
		p := s.run.Replay.Playback()
		s.commandReplay(stream.Command{Do: stream.SetSpeed, Speed: p.Speed, Paused: true})
		return nil, func() { s.commandReplay(stream.Command{Do: stream.SetSpeed, Speed: p.Speed, Paused: p.Paused}) }
	case s.Loading() && !s.paused:
		run, before := s.run, s.run.Timeline.Snapshot().ByHand
		if err := run.Command(stream.Command{Do: stream.SetPaused, Paused: true}); err != nil {
			return nil, func() { s.host.Fail(fmt.Errorf("the load went on while the program was suspended: %w", err)) }
		}
		return func() bool { return run.Timeline.Snapshot().ByHand > before }, func() {
			_ = run.Command(stream.Command{Do: stream.SetPaused}) // a run that has ended does not resume
		}
	}
	return nil, func() {}
}

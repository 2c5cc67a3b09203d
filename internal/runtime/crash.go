package mabeam

import "mabeam-top/internal/runtime/internal/crash"

func init() {
	crash.Components = func(system any) []crash.Component { return system.(*System).crashComponents() }
}

// crashComponents lists the system's components for package faults.
func (s *System) crashComponents() []crash.Component {
	var list []crash.Component
	for _, g := range s.groups() {
		for _, c := range g.parts {
			list = append(list, crash.Component{Name: c.name, Crash: s.countRestarts(c.crash)})
		}
	}
	return list
}

// countRestarts returns a crash that counts what has begun anew; nil stays nil.
func (s *System) countRestarts(f crash.Func) crash.Func {
	if f == nil {
		return nil
	}
	return func(restarted func(supervisorID string)) bool {
		return f(func(supervisorID string) {
			s.componentsRestarted.Add(1)
			restarted(supervisorID)
		})
	}
}

// A crasher is a service that can crash and begin anew, as crash.Func says.
type crasher interface {
	Crash(restarted func(supervisorID string)) (crashed bool)
}

// crashServices makes all services crash that can.
func (s *System) crashServices(restarted func(supervisorID string)) (crashed bool) {
	for _, v := range s.Services() {
		if c, ok := v.(crasher); ok && c.Crash(restarted) {
			crashed = true
		}
	}
	return crashed
}

package work

import (
	"math/rand/v2"
	"sync/atomic"

	mabeam "mabeam-top/internal/runtime"
)

// A Strategy picks the member of a group that gets a job. There is at least one member, and
// it returns one of them. It is called by many goroutines at once.
type Strategy func(members mabeam.Group, job Job) mabeam.Ref

// RoundRobin gives each job to the next member, in the order in which they joined.
func RoundRobin() Strategy {
	var turns atomic.Uint64
	return func(members mabeam.Group, _ Job) mabeam.Ref {
		turn := turns.Add(1) - 1
		return members.At(int(turn % uint64(members.Len())))
	}
}

// LeastLoaded gives each job to one of the members that have the least to do, by Ref.Waiting.
// While none is idle it looks at all of them for each job.
func LeastLoaded() Strategy {
	next := RoundRobin()
	return func(members mabeam.Group, job Job) mabeam.Ref {
		least := next(members, job)
		load := least.Waiting()
		for member := range members.All() {
			if load == 0 {
				break
			}
			if n := member.Waiting(); n < load {
				least, load = member, n
			}
		}
		return least
	}
}

// Random gives each job to any member, all with the same probability.
func Random() Strategy {
	return func(members mabeam.Group, _ Job) mabeam.Ref {
		return members.At(rand.IntN(members.Len()))
	}
}

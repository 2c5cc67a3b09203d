package reference

import (
	"sync"
	"time"
)

var groupDescription = Description{
	Workload: GroupStart,
	Unit:     "ns",
	Doc:      "Time to start ten goroutines in five groups, one group after the other, each of which allocates 50 blocks of 208 bytes, in ns for all of them. A measurement that times the start of a system alternates with it, because both depend on how soon an idle CPU wakes up, which changes within milliseconds.",
}

// A block is what the goroutines of StartGroups allocate.
type block struct {
	next *block
	_    [25]uint64
}

// groups are the numbers of goroutines in each group.
var groups = [...]int{2, 3, 1, 3, 1}

// StartGroups runs GroupStart once and returns its figure.
func StartGroups() float64 {
	var last [3]*block // of each goroutine of a group
	start := time.Now()
	for _, n := range groups {
		var group sync.WaitGroup
		for i := range n {
			group.Go(func() {
				for range 50 {
					last[i] = &block{next: last[i]}
				}
			})
		}
		group.Wait()
	}
	return float64(time.Since(start))
}

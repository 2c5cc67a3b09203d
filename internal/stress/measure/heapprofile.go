package measure

import (
	"runtime"
	"strings"
)

// heapBySite returns the live heap by the function that allocated it, as far as the
// profiler has sampled it.
func heapBySite() map[string]int64 {
	var records []runtime.MemProfileRecord
	for n, ok := runtime.MemProfile(nil, false); !ok; {
		records = make([]runtime.MemProfileRecord, n+50) // more may appear meanwhile
		if n, ok = runtime.MemProfile(records, false); ok {
			records = records[:n]
		}
	}
	sites := map[string]int64{}
	for _, r := range records {
		sites[allocatingFunction(r.Stack())] += r.InUseBytes()
	}
	return sites
}

// allocatingFunction returns the innermost function of a stack that is not part of the Go
// runtime.
func allocatingFunction(stack []uintptr) string {
	frames := runtime.CallersFrames(stack)
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "runtime.") || !more {
			return f.Function
		}
	}
}

// largestGrowth names the site whose live heap has grown most since before; it is empty if
// the profiler has seen none.
func largestGrowth(before map[string]int64) string {
	best, most := "", int64(0)
	for site, n := range heapBySite() {
		if site == "" {
			continue // the stack was not kept
		}
		if n -= before[site]; n > most || n == most && n > 0 && site < best {
			best, most = site, n
		}
	}
	if best == "" {
		return ""
	}
	return ", most of it allocated in " + best
}

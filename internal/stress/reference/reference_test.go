package reference

import (
	"bytes"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
)

// A batch of twice the units takes twice as long: the compiler removed nothing, and no
// fixed cost dominates. TestTimerMeasuresLateness covers Timer.
func TestTimeGrowsWithUnits(t *testing.T) {
	prepare()
	for _, w := range workloads {
		if w.Workload == Timer {
			continue
		}
		t.Run(string(w.Workload), func(t *testing.T) {
			var ratios []float64
			// Other programs can disturb any attempt, but not all of them.
			for range 20 {
				single, double := math.Inf(1), math.Inf(1)
				for range 20 {
					single = min(single, float64(w.run(w.size)))
					double = min(double, float64(w.run(2*w.size)))
				}
				ratio := double / single
				if ratio > 1.7 && ratio < 2.3 {
					return
				}
				ratios = append(ratios, ratio)
			}
			t.Errorf("twice the units take %.2f times as long in 20 attempts, want 1.7 to 2.3 in one of them", ratios)
		})
	}
}

func TestAllocationAllocatesEachNode(t *testing.T) {
	if size := unsafe.Sizeof(node{}); size != 256 && unsafe.Sizeof(uintptr(0)) == 8 {
		t.Errorf("a node has %d bytes, want 256", size)
	}
	const n = 3000
	if got := testing.AllocsPerRun(5, func() { allocate(n) }); got < n || got > n+10 {
		t.Errorf("allocate(%d) allocates %.0f objects", n, got)
	}
	if i := slices.IndexFunc(ring[:], func(n *node) bool { return n != nil }); i >= 0 {
		t.Errorf("slot %d of the ring keeps a node after the batch", i)
	}
}

// Only the ring keeps nodes alive, although nodes point to each other.
func TestAllocationLeaksNothing(t *testing.T) {
	allocate(len(ring))
	before := liveHeap()
	allocate(100_000)
	if grown := int64(liveHeap()) - int64(before); grown > 64<<10 {
		t.Errorf("the live heap grew by %d bytes", grown)
	}
}

func TestHandOverMakesEachRoundTrip(t *testing.T) {
	for _, n := range []int{1, 10, 1000} {
		if _, last := handOver(n); last != n {
			t.Errorf("handOver(%d): the partner replied %d times", n, last)
		}
	}
}

func TestGoroutineStartRunsEach(t *testing.T) {
	if _, ran := startGoroutines(1000); ran != 1000 {
		t.Errorf("of 1000 goroutines %d ran", ran)
	}
}

func TestFanOutGetsAllReplies(t *testing.T) {
	if _, answered := fanOut(100); answered != 800 {
		t.Errorf("100 values for 8 goroutines got %d replies", answered)
	}
}

func TestMapLockLooksUpAndReplaces(t *testing.T) {
	const n = 100_000
	m := newLockedMap()
	m.operate(n)
	if m.misses > 0 {
		t.Errorf("%d lookups found nothing or another key's value", m.misses)
	}
	if m.lookups != n*8/10 || m.replaced != n*2/10 {
		t.Errorf("%d lookups and %d replacements, want 80 %% and 20 %% of %d", m.lookups, m.replaced, n)
	}
	if len(m.entries) != tableSize {
		t.Errorf("the map has %d entries, want %d", len(m.entries), tableSize)
	}
	var replacements, touched int
	for _, v := range slices.Concat(m.values[0], m.values[1]) {
		replacements += v.replacements
		if v.replacements > 0 {
			touched++
		}
	}
	if replacements != m.replaced {
		t.Errorf("the values count %d replacements, want %d", replacements, m.replaced)
	}
	// 20,000 draws of 20,000 values reach 1-1/e of them.
	if touched < tableSize {
		t.Errorf("replacements reached %d of %d values: the keys are not spread", touched, 2*tableSize)
	}
}

func TestBandwidthCopiesTheBlock(t *testing.T) {
	prepare()
	clear(target[:])
	copied = 0
	copyBlock(3)
	if !bytes.Equal(target[:3*mebibyte], source[:3*mebibyte]) {
		t.Error("the first 3 MiB were not copied")
	}
	if target[3*mebibyte+1] != 0 {
		t.Error("more than 3 MiB were copied")
	}
	copyBlock(5)
	if !bytes.Equal(target[:], source[:]) {
		t.Error("the next batch did not copy the rest of the block")
	}
}

func TestTimerMeasuresLateness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if late := oversleep(3, time.Sleep); late != 0 {
			t.Errorf("sleeps that end on time are %v late", late)
		}
		late := oversleep(3, func(d time.Duration) { time.Sleep(d + 70*time.Microsecond) })
		if late != 210*time.Microsecond {
			t.Errorf("three sleeps of 70µs too much are %v late, want 210µs", late)
		}
	})
}

func TestComputationRunsEachStep(t *testing.T) {
	hashed = 1
	compute(100)
	want := uint64(1)
	for range 100 * 64 {
		want = scramble(want)
	}
	if hashed != want {
		t.Errorf("after 100 units the hash is %x, want %x", hashed, want)
	}
}

func TestMeasureReturnsEachWorkload(t *testing.T) {
	figures := Measure()
	figures[EntryMemory] = EntryBytes()
	figures[MapLookup] = 1 // measured by the measurements that time lookups
	figures[GroupStart] = StartGroups()
	for _, d := range Workloads() {
		figure, ok := figures[d.Workload]
		if !ok || figure <= 0 || math.IsInf(figure, 0) || math.IsNaN(figure) {
			t.Errorf("%s: figure %v (measured: %v)", d.Workload, figure, ok)
		}
		if !strings.HasSuffix(d.Doc, ".") || d.Unit == "" {
			t.Errorf("%s: unit %q, doc %q", d.Workload, d.Unit, d.Doc)
		}
	}
	if len(figures) != len(Workloads()) {
		t.Errorf("%d figures for %d workloads", len(figures), len(Workloads()))
	}
}

func TestMeasureLeaksNothing(t *testing.T) {
	Measure()
	heap := liveHeap() // stops the world, so that ended goroutines do not count
	goroutines := runtime.NumGoroutine()
	for range 5 {
		Measure()
	}
	if grown := int64(liveHeap()) - int64(heap); grown > 64<<10 {
		t.Errorf("the live heap grew by %d bytes", grown)
	}
	if now := runtime.NumGoroutine(); now > goroutines {
		t.Errorf("%d goroutines before, %d after", goroutines, now)
	}
}

func TestTrimmedMeanIgnoresTheLargest(t *testing.T) {
	if got := trimmedMean([]float64{2, 900, 4, 3}); got != 3 {
		t.Errorf("trimmed mean of 2, 900, 4, 3 is %v, want 3", got)
	}
}

func TestMedian(t *testing.T) {
	got := Median([]Figures{
		{Timer: 3, HandOver: 10},
		{Timer: 1},
		{Timer: 200, HandOver: 20},
	})
	if got[Timer] != 3 || got[HandOver] != 15 || len(got) != 2 {
		t.Errorf("medians %v, want timer 3 and hand_over 15", got)
	}
	if got := Median(nil); len(got) != 0 {
		t.Errorf("medians of no rounds: %v", got)
	}
}

func TestLookupMap(t *testing.T) {
	m := NewLookupMap([]string{"first", "second"})
	if i, ok := m.Lookup("second"); i != 1 || !ok {
		t.Errorf("second is at %d, %v", i, ok)
	}
	if _, ok := m.Lookup("third"); ok {
		t.Error("third is in the map")
	}
}

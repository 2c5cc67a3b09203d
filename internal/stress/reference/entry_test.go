package reference

import (
	"math"
	"runtime"
	"testing"
	"unsafe"
)

// liveBytes measures a record of known size.
func TestLiveBytesOfKnownRecord(t *testing.T) {
	type record struct {
		self *record
		_    [1000]byte
	}
	const size = 1024 // the size class of a record
	fill := func(copies int) func(n int) any {
		return func(n int) any {
			records := make([]*record, copies*n)
			for i := range records {
				records[i] = new(record)
				records[i].self = records[i]
			}
			return records
		}
	}
	for _, copies := range []int{1, 2} {
		want := float64(copies) * (size + float64(unsafe.Sizeof(uintptr(0))))
		if got := liveBytes(fill(copies)); math.Abs(got/want-1) > 0.1 {
			t.Errorf("%d records of %d bytes an entry: measured %.0f bytes, want %.0f", copies, size, got, want)
		}
	}
}

// Garbage does not count as live.
func TestLiveBytesIgnoresGarbage(t *testing.T) {
	var dropped *[4096]byte
	got := liveBytes(func(n int) any {
		for range n {
			dropped = new([4096]byte)
		}
		dropped = nil
		return nil
	})
	runtime.KeepAlive(dropped)
	if math.Abs(got) > 50 {
		t.Errorf("garbage of 4096 bytes an entry is measured as %.0f bytes", got)
	}
}

// An entry takes its parts, as the allocator and the map round them up.
func TestEntryBytesMatchesParts(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("the sizes are those of 64 bits")
	}
	const (
		id       = 16 // "reference-1234"
		record   = unsafe.Sizeof(entry{})
		names    = 32           // two string headers
		metadata = 48 + 288 + 8 // a map, its group of 8 slots of a string and an any, the number
		// The table has 4096 slots, of a string, a pointer, and a byte of control.
		slot = 25 * 4096. / entryCount

		wantedSize = id + float64(record) + names + metadata + slot
	)
	if got := EntryBytes(); math.Abs(got/wantedSize-1) > 0.1 {
		t.Errorf("an entry takes %.0f bytes, its parts %.0f", got, wantedSize)
	}
	if again := EntryBytes(); again != EntryBytes() {
		t.Errorf("another call returns %.0f bytes", again)
	}
	single, double := liveBytes(fillEntries), liveBytes(func(n int) any { return fillEntries(2 * n) })
	if math.Abs(double/single-2) > 0.2 {
		t.Errorf("two entries take %.0f bytes and one %.0f", double, single)
	}
}

package eventbus

import "testing"

// The ids of a system's events rise, and are no other system's, however many events or
// systems there are.
func TestEventIDsNeverRepeat(t *testing.T) {
	const block = 1 << idBlockBits
	a, b := eventIDs{first: takeIDBlock()}, eventIDs{first: takeIDBlock()}
	seen := map[EventID]bool{}
	last := map[*eventIDs]EventID{}
	for _, n := range []uint64{1, 2, block - 1, block, block + 1, 2*block - 1, 5 * block} {
		for _, x := range []*eventIDs{&a, &b} {
			id := x.of(n)
			if seen[id] || id <= last[x] {
				t.Errorf("event %d has the id %d, after %d; seen before: %v", n, id, last[x], seen[id])
			}
			seen[id], last[x] = true, id
		}
	}
	if early := a.of(block - 1); early != a.of(block-1) || !seen[early] {
		t.Error("a publisher that is late gets an id of another block")
	}
	for range 1 << 17 { // systems that publish one event each
		x := eventIDs{first: takeIDBlock()}
		if id := x.of(1); seen[id] {
			t.Fatalf("the id %d has been given before", id)
		} else {
			seen[id] = true
		}
	}
}

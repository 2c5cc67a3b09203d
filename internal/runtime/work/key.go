package work

import (
	"math/bits"

	mabeam "mabeam-top/internal/runtime"
)

// ByKey gives all jobs with the same key to the same member, as long as it is in the group.
// When a member leaves, its keys are shared out evenly among the others, which keep theirs;
// when one joins, it takes an equal share from each, and no other key moves. Which member has
// a key depends on the ids of the members alone: a new life of an agent has the keys of the
// one before, and another process finds the same member.
//
// To pick one takes time in proportion to the number of members.
func ByKey(key func(Job) string) Strategy {
	return func(members mabeam.Group, job Job) mabeam.Ref {
		hash := hashOf(key(job))
		owner := members.At(0)
		highest := score(hash, owner)
		for member := range members.All() {
			if s := score(hash, member); s > highest {
				owner, highest = member, s
			}
		}
		return owner
	}
}

// score is how much a member has a claim to a key with a hash: the member with the highest
// has it (rendezvous hashing), so that it does not matter to a key who else is there.
func score(hash uint64, member mabeam.Ref) uint64 {
	return mix(hash ^ mix(hashOf(member.ID())))
}

// hashOf is the 64-bit FNV-1a hash of a text.
func hashOf(text string) uint64 {
	hash := uint64(14695981039346656037)
	for i := range len(text) {
		hash = (hash ^ uint64(text[i])) * 1099511628211
	}
	return hash
}

// mix spreads every bit of a number over all bits of the result, which FNV-1a does not do
// for the last characters of a text.
func mix(n uint64) uint64 {
	const odd = 0x9e3779b97f4a7c15 // 2⁶⁴ divided by the golden ratio
	for range 3 {
		n *= odd
		n ^= bits.RotateLeft64(n, 23) ^ bits.RotateLeft64(n, 47)
	}
	return n
}

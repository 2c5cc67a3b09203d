package measure

import (
	"fmt"

	"mabeam-top/internal/stress/resources"
)

// belowNoise explains why the memory of something is unmeasured.
func belowNoise(what string) string {
	return fmt.Sprintf("%s hold less than the %d KiB by which live memory varies; use more", what, resources.MemoryNoise>>10)
}

// stableGrowth is the growth rate below which memory counts as stable.
const stableGrowth = 0.1

package memlimit

import "testing"

func TestIsOutOfMemory(t *testing.T) {
	for stderr, want := range map[string]bool{
		"fatal error: runtime: out of memory\n\ngoroutine 1":                          true,
		"runtime/cgo: pthread_create failed: Resource temporarily unavailable\n":      true,
		"==7==ERROR: ThreadSanitizer failed to allocate 0x800 bytes (error code: 12)": true,
		"panic: no memory of that\n":                                                  false,
		"":                                                                            false,
	} {
		if got := IsOutOfMemory(stderr); got != want {
			t.Errorf("%q: %v", stderr, got)
		}
	}
}

//go:build !linux

package confine

import "errors"

// KeepOwn says that there is no limit on this platform that the Go runtime's
// memory counts against.
func KeepOwn(int64) (limit int64, err error) {
	return 0, errors.New("limit on the process: there is none for memory on this platform")
}

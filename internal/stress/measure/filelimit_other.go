//go:build !linux && !darwin

package measure

import "errors"

// limitFiles lets the process open n more files, until restore is called.
func limitFiles(int) (restore func() error, err error) {
	return nil, errors.New("the number of open files cannot be limited on this platform; remove files from the scenarios")
}

func isTooManyFiles(error) bool { return false }

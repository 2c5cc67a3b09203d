// Package scenarios holds the built-in scenario files.
package scenarios

import "embed"

// Files holds the scenario files by name.
//
//go:embed *.yaml
var Files embed.FS

// Package scenarios holds the catalogue of scenarios that the program carries.
package scenarios

import "embed"

// Files are the scenario files, by name.
//
//go:embed *.yaml
var Files embed.FS

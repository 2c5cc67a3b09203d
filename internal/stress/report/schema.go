package report

import _ "embed"

//go:embed schema.json
var schemaJSON string

// SchemaJSON returns the JSON Schema (2020-12) of the report. It is closed: a
// report with a field that is not in it is not valid.
func SchemaJSON() string { return schemaJSON }

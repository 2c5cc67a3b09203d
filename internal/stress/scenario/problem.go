package scenario

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Problem is one thing that is wrong with a scenario file or an override.
type Problem struct {
	// File is the name of the file; of an override it is the flag as it was given.
	File string
	// Line and Column count from 1, columns in characters. Both are 0 for an
	// override.
	Line, Column int
	// Message says what is wrong, what was expected, and what to do.
	Message string
}

// String returns FILE:LINE:COLUMN: MESSAGE.
func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}

// Problems are everything that is wrong, ordered by file and position. As an error
// it is never empty.
type Problems []Problem

// Error returns one line for each problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// A problemList collects the problems of one file, so that reading continues after a
// problem and all of them are reported at once.
type problemList struct {
	file     string
	problems Problems
}

func (l *problemList) add(at position, format string, args ...any) {
	l.problems = append(l.problems, Problem{File: l.file, Line: at.line, Column: at.column, Message: fmt.Sprintf(format, args...)})
}

// sorted returns the problems, ordered by position.
func (l *problemList) sorted() Problems {
	slices.SortStableFunc(l.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return l.problems
}

// A position in a file counts lines and columns from 1.
type position struct{ line, column int }

// ByKey returns the problems of overrides by the key of their Setting, or by "" for a
// problem with several settings.
func (p Problems) ByKey() map[string]error {
	byKey := map[string]error{}
	for _, problem := range p {
		key := ""
		if set, ok := strings.CutPrefix(problem.File, "--set "); ok {
			key, _, _ = strings.Cut(set, "=")
		} else if flag, ok := strings.CutPrefix(problem.File, "--"); ok && flag != "set" {
			key = flag
		}
		if byKey[key] == nil {
			byKey[key] = messageError(strings.TrimPrefix(problem.Message, lastPart(key)+": "))
		}
	}
	return byKey
}

// lastPart returns the name in the key of a setting.
func lastPart(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }

// A messageError is the message of a problem whose position is obvious.
type messageError string

func (m messageError) Error() string { return string(m) }

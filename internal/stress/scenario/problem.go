package scenario

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Problem is one thing that is wrong with a scenario file or an override.
type Problem struct {
	// File is the file's name, or for an override the flag as it was given.
	File string
	// Line and Column count from 1, a column in characters; both are 0 for
	// an override.
	Line, Column int
	// Message says what is wrong and what was expected instead.
	Message string
}

// String returns FILE:LINE:COLUMN: MESSAGE.
func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}

// Problems are all that is wrong, in the order of the files and then of the
// positions in them. As an error it is never empty.
type Problems []Problem

// Error returns one problem a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// A problemList collects what is wrong with one file, so that reading goes on
// after a problem and all of them are told at once.
type problemList struct {
	file     string
	problems Problems
}

func (l *problemList) add(at position, format string, args ...any) {
	l.problems = append(l.problems, Problem{File: l.file, Line: at.line, Column: at.column, Message: fmt.Sprintf(format, args...)})
}

// sorted returns the problems in the order of their positions.
func (l *problemList) sorted() Problems {
	slices.SortStableFunc(l.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return l.problems
}

// A position in a file counts lines and columns from 1.
type position struct{ line, column int }

// ByKey sorts problems of overrides by what they are about: the key of a Setting,
// or "" for what is about several together.
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

// lastPart is the name in the key of a setting.
func lastPart(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }

// A messageError is a problem without its place, for where the place is plain.
type messageError string

func (m messageError) Error() string { return string(m) }

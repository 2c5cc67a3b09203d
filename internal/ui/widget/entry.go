package widget

import "mabeam-top/internal/ui/theme"

// Entry returns the name of an entry in a list, styled if it is selected, and the columns
// before it that show the cursor and the mark.
func Entry(t *theme.Theme, name string, selected, marked bool) (marks, styled string) {
	cursor, mark := " ", " "
	if selected {
		cursor, name = t.Cursor.Render(t.CursorMark), t.Cursor.Render(name)
	}
	if marked {
		mark = t.Accent.Render(t.Marked)
	}
	return " " + cursor + " " + mark + " ", name
}

package term

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rivo/uniseg"
)

// Table prints columns that fit the terminal. If the rows are too wide, the elastic
// columns are shortened, the widest first, but optional columns are left out before that
// makes them hard to read.
type Table struct {
	Head     []string
	Rows     [][]string
	Elastic  []int
	Optional []int // in the order in which they are left out
	Right    []int // aligned to the right
	Middle   []int // elastic columns that are shortened in the middle
	Source   int   // if not 0, an elastic column of topic/partition@offset, shortened before its slash

	notes  map[int][]string // by the number of the row above
	least  map[int]int      // minimum widths, for later rows
	widths []int            // set once the first row is printed; -1: the column is left out
}

func (t *Table) Add(cells ...string) {
	for i := range cells {
		cells[i] = Visible(cells[i])
	}
	t.Rows = append(t.Rows, cells)
}

// Note adds a line below the last row.
func (t *Table) Note(text string) {
	if t.notes == nil {
		t.notes = make(map[int][]string)
	}
	last := len(t.Rows) - 1
	t.notes[last] = append(t.notes[last], Visible(text))
}

const (
	MinColumn = 8
	minSource = 18
	// readable is the width to which elastic columns are shortened before an optional
	// column is left out.
	readable = 12
)

// Write prints the rows added since the last call. The first call prints the head
// and sets the widths.
func (t *Table) Write(w io.Writer, width int) {
	if t.widths == nil {
		t.Fit(width)
		t.Print(w, t.Head)
	}
	for i, row := range t.Rows {
		t.Print(w, row)
		for _, note := range t.notes[i] {
			indent := t.widths[0] + 2
			fmt.Fprintln(w, strings.Repeat(" ", indent)+Cut(note, max(width-indent, MinColumn)))
		}
	}
	t.Rows, t.notes = t.Rows[:0], nil
}

// Room sets the minimum width of a column.
func (t *Table) Room(column, width int) {
	if t.least == nil {
		t.least = make(map[int]int)
	}
	t.least[column] = width
}

// Natural returns the widths without shortening.
func (t *Table) Natural() (widths []int, total int) {
	widths = make([]int, len(t.Head))
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], uniseg.StringWidth(cell))
		}
	}
	for i, n := range t.least {
		widths[i] = max(widths[i], n)
	}
	total = 2 * (len(widths) - 1)
	for _, n := range widths {
		total += n
	}
	return widths, total
}

func (t *Table) Fit(width int) {
	widths, total := t.Natural()
	floor := func(i int) int {
		if i == t.Source && i > 0 {
			return minSource
		}
		return MinColumn
	}
	for _, i := range t.Optional {
		least := total
		for _, e := range t.Elastic {
			least -= max(widths[e]-max(readable, floor(e)), 0)
		}
		if least <= width {
			break
		}
		total -= widths[i] + 2
		widths[i] = -1
	}
	for total > width {
		widest := -1
		for _, i := range t.Elastic {
			if widths[i] > floor(i) && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
		total--
	}
	t.widths = widths
}

// Print prints one row. Only elastic cells are shortened, also in a later, wider row.
func (t *Table) Print(w io.Writer, row []string) {
	var b strings.Builder
	for i, cell := range row {
		if t.widths[i] < 0 {
			continue
		}
		switch {
		case i == t.Source && i > 0:
			cell = CutSource(cell, t.widths[i])
		case slices.Contains(t.Middle, i):
			cell = cutMiddle(cell, t.widths[i])
		case slices.Contains(t.Elastic, i):
			cell = Cut(cell, t.widths[i])
		}
		space := strings.Repeat(" ", max(t.widths[i]-uniseg.StringWidth(cell), 0))
		if slices.Contains(t.Right, i) {
			cell, space = space+cell, ""
		}
		b.WriteString(cell + space + "  ")
	}
	fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
}

package term

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rivo/uniseg"
)

// Table prints columns that fit the terminal: where the rows are too wide the
// elastic columns give way, the widest first.
type Table struct {
	Head    []string
	Rows    [][]string
	Elastic []int
	notes   map[int]string // below a row, by its number
	// source, where it is not zero, is an elastic column of topic/partition@offset,
	// which is shortened before its slash.
	Source int
	// middle are elastic columns that are shortened in their middle: names that
	// begin alike.
	Middle []int

	least  map[int]int // widths that rows to come are known to need
	widths []int       // set once the first row is printed
}

func (t *Table) Add(cells ...string) {
	for i := range cells {
		cells[i] = Visible(cells[i])
	}
	t.Rows = append(t.Rows, cells)
}

// Note puts a text below the last row, as wide as the terminal.
func (t *Table) Note(text string) {
	if t.notes == nil {
		t.notes = make(map[int]string)
	}
	t.notes[len(t.Rows)-1] = Visible(text)
}

const (
	MinColumn = 8
	minSource = 18
)

// Write prints the rows that were added since it was last called; the first
// time below the head, in widths that stay.
func (t *Table) Write(w io.Writer, width int) {
	if t.widths == nil {
		t.Fit(width)
		t.Print(w, t.Head)
	}
	for i, row := range t.Rows {
		t.Print(w, row)
		if note := t.notes[i]; note != "" {
			indent := t.widths[0] + 2
			fmt.Fprintln(w, strings.Repeat(" ", indent)+Cut(note, max(width-indent, MinColumn)))
		}
	}
	t.Rows, t.notes = t.Rows[:0], nil
}

// Room has a column be at least so wide.
func (t *Table) Room(column, width int) {
	if t.least == nil {
		t.least = make(map[int]int)
	}
	t.least[column] = width
}

// Natural is how wide the table is when nothing gives way.
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

// Print prints one row. Only elastic cells are cut: a later row may be wider
// than those that the widths were made for.
func (t *Table) Print(w io.Writer, row []string) {
	var b strings.Builder
	for i, cell := range row {
		switch {
		case i == t.Source && i > 0:
			cell = CutSource(cell, t.widths[i])
		case slices.Contains(t.Middle, i):
			cell = cutMiddle(cell, t.widths[i])
		case slices.Contains(t.Elastic, i):
			cell = Cut(cell, t.widths[i])
		}
		b.WriteString(cell)
		if i < len(row)-1 {
			b.WriteString(strings.Repeat(" ", max(t.widths[i]-uniseg.StringWidth(cell), 0)+2))
		}
	}
	fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
}

package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rivo/uniseg"
)

// table prints columns that fit the terminal: where the rows are too wide the
// elastic columns give way, the widest first.
type table struct {
	head    []string
	rows    [][]string
	elastic []int
	notes   map[int]string // below a row, by its number
	// source, where it is not zero, is an elastic column of topic/partition@offset,
	// which is shortened before its slash.
	source int
	// middle are elastic columns that are shortened in their middle: names that
	// begin alike.
	middle []int

	least  map[int]int // widths that rows to come are known to need
	widths []int       // set once the first row is printed
}

func (t *table) add(cells ...string) {
	for i := range cells {
		cells[i] = visible(cells[i])
	}
	t.rows = append(t.rows, cells)
}

// note puts a text below the last row, as wide as the terminal.
func (t *table) note(text string) {
	if t.notes == nil {
		t.notes = make(map[int]string)
	}
	t.notes[len(t.rows)-1] = visible(text)
}

const (
	minColumn = 8
	minSource = 18
)

// write prints the rows that were added since it was last called; the first
// time below the head, in widths that stay.
func (t *table) write(w io.Writer, width int) {
	if t.widths == nil {
		t.fit(width)
		t.print(w, t.head)
	}
	for i, row := range t.rows {
		t.print(w, row)
		if note := t.notes[i]; note != "" {
			indent := t.widths[0] + 2
			fmt.Fprintln(w, strings.Repeat(" ", indent)+cut(note, max(width-indent, minColumn)))
		}
	}
	t.rows, t.notes = t.rows[:0], nil
}

// room has a column be at least so wide.
func (t *table) room(column, width int) {
	if t.least == nil {
		t.least = make(map[int]int)
	}
	t.least[column] = width
}

// natural is how wide the table is when nothing gives way.
func (t *table) natural() (widths []int, total int) {
	widths = make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
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

func (t *table) fit(width int) {
	widths, total := t.natural()
	floor := func(i int) int {
		if i == t.source && i > 0 {
			return minSource
		}
		return minColumn
	}
	for total > width {
		widest := -1
		for _, i := range t.elastic {
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

// print prints one row. Only elastic cells are cut: a later row may be wider
// than those that the widths were made for.
func (t *table) print(w io.Writer, row []string) {
	var b strings.Builder
	for i, cell := range row {
		switch {
		case i == t.source && i > 0:
			cell = cutSource(cell, t.widths[i])
		case slices.Contains(t.middle, i):
			cell = cutMiddle(cell, t.widths[i])
		case slices.Contains(t.elastic, i):
			cell = cut(cell, t.widths[i])
		}
		b.WriteString(cell)
		if i < len(row)-1 {
			b.WriteString(strings.Repeat(" ", max(t.widths[i]-uniseg.StringWidth(cell), 0)+2))
		}
	}
	fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
}

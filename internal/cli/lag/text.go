package lag

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/rivo/uniseg"

	"github.com/algotrade/notifier/internal/lag"
	"github.com/algotrade/notifier/internal/term"
)

// show prints a sample.
func (v *view) show(s *lag.Snapshot) error {
	if v.g.JSON() {
		return v.encode(s)
	}
	for _, line := range v.lines(s, nil, v.g.Width()) {
		fmt.Fprintln(v.g.IO.Out, line.text)
	}
	return nil
}

// line is a line of the table.
type line struct {
	text string
	mark lag.Mark
}

// note is the mark of a row and its notes.
type note struct {
	mark  lag.Mark
	notes []string
}

var marks = map[lag.Mark]string{lag.Fine: "", lag.Late: "·", lag.Bad: "!"}

// lines lays out a sample. trend, if not nil, draws the recent lag of a row.
func (v *view) lines(s *lag.Snapshot, trend func(*lag.Row) string, width int) []line {
	rows := s.Rows()
	if len(rows) == 0 {
		return nil
	}
	if v.f.partitions {
		return v.partitionLines(s, rows, width)
	}
	t := term.Table{Head: []string{"", "GROUP", "STATE", "IN", "TOPIC", "PARTS", "LAG", "OLDEST"}, Elastic: []int{4, 1, 2}, Middle: []int{1, 4}, Right: []int{3, 5, 6, 7}}
	if trend != nil {
		t.Head = append(t.Head, "TREND")
	}
	var said []note
	for i := range rows {
		r := &rows[i]
		row := []string{marks[r.Mark], r.Group.Name, stateWord(r.Group), fmt.Sprint(r.Group.Members), "–", "", "–", ""}
		if r.Group.Err != nil {
			row[3] = ""
		}
		if r.Topic != nil {
			row[4], row[5] = r.Topic.Name, fmt.Sprint(len(r.Topic.Partitions))
			if r.Topic.Err == nil {
				row[6], row[7] = humanize.Comma(r.Waiting), oldestText(r, s.At)
			}
		}
		if trend != nil {
			row = append(row, trend(r))
		}
		t.Add(row...)
		said = append(said, note{r.Mark, r.Notes})
	}
	return layOut(&t, said, width)
}

// stateWord returns a group's state for display.
func stateWord(g *lag.Group) string {
	switch {
	case g.Err != nil:
		return "?"
	case g.State == "":
		return "–"
	case strings.HasSuffix(g.State, "Rebalance"):
		return "Rebalancing"
	}
	return g.State
}

func oldestText(r *lag.Row, now time.Time) string {
	switch {
	case !r.Oldest.IsZero():
		return term.Age(now.Sub(r.Oldest))
	case r.Aged:
		return ""
	}
	return "?"
}

// partitionLines returns a line for each partition, the worst first.
func (v *view) partitionLines(s *lag.Snapshot, rows []lag.Row, width int) []line {
	t := term.Table{Head: []string{"", "GROUP", "PARTITION", "COMMITTED", "END", "LAG", "OLDEST", "OWNER"}, Elastic: []int{2, 1, 7}, Middle: []int{1, 2, 7}, Right: []int{3, 4, 5, 6}}
	var said []note
	for _, r := range lag.ByPartition(rows) {
		p := r.Partition
		row := []string{marks[r.Mark], r.Group.Name, fmt.Sprintf("%s/%d", r.Topic.Name, p.ID), "–", "", "?", "", "–"}
		if p.Committed >= 0 {
			row[3] = fmt.Sprint(p.Committed)
		}
		if !p.Unowned() {
			row[7] = p.ClientID
		}
		if p.Err == nil {
			row[4], row[5] = fmt.Sprint(p.End), humanize.Comma(p.Waiting)
		}
		switch {
		case !p.Oldest.IsZero():
			row[6] = term.Age(s.At.Sub(p.Oldest))
		case p.Unread != nil:
			row[6] = "?"
		}
		t.Add(row...)
		said = append(said, note{mark: r.Mark})
	}
	return layOut(&t, said, width)
}

// layOut returns the table's lines with their marks, and below each its notes.
func layOut(t *term.Table, said []note, width int) []line {
	t.Room(0, 1) // the mark
	t.Fit(width)
	text := func(cells []string) string {
		var b strings.Builder
		t.Print(&b, cells)
		return strings.TrimSuffix(b.String(), "\n")
	}
	lines := []line{{text: text(t.Head)}}
	for i, cells := range t.Rows {
		mark, notes := said[i].mark, said[i].notes
		lines = append(lines, line{text(cells), mark})
		if all := strings.Join(notes, "; "); uniseg.StringWidth(all) <= width-3 && all != "" {
			notes = []string{all}
		}
		for _, note := range notes {
			lines = append(lines, line{"   " + term.Cut(term.Visible(note), max(width-3, term.MinColumn)), mark})
		}
	}
	return lines
}

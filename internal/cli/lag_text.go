package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/rivo/uniseg"

	"github.com/algotrade/notifier/internal/lag"
)

// show prints what one look found.
func (v *lagView) show(s *lag.Snapshot) error {
	if v.g.json() {
		return v.encode(s)
	}
	for _, line := range v.lines(s, nil, v.g.width()) {
		fmt.Fprintln(v.g.io.out, line.text)
	}
	return nil
}

// lagLine is a line of the table.
type lagLine struct {
	text string
	mark lag.Mark
}

var marks = map[lag.Mark]string{lag.Fine: "", lag.Late: "·", lag.Bad: "!"}

// lines lays out what a look found; trend, where it is not nil, draws how the
// lag of a row went.
func (v *lagView) lines(s *lag.Snapshot, trend func(*lag.Row) string, width int) []lagLine {
	rows := s.Rows()
	if len(rows) == 0 {
		return nil
	}
	if v.f.partitions {
		return v.partitionLines(s, rows, width)
	}
	t := table{head: []string{"", "GROUP", "STATE", "IN", "TOPIC", "PARTS", "LAG", "OLDEST"}, elastic: []int{4, 1, 2}, middle: []int{1, 4}}
	if trend != nil {
		t.head = append(t.head, "TREND")
	}
	var said []lagNote
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
		t.add(row...)
		said = append(said, lagNote{r.Mark, r.Notes})
	}
	rightward{3: true, 5: true, 6: true, 7: true}.align(t.head, t.rows)
	return layOut(&t, said, width)
}

// stateWord is a group's state for people.
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
		return age(now.Sub(r.Oldest))
	case r.Aged:
		return ""
	}
	return "?"
}

// partitionLines is a line for each partition, the worst first.
func (v *lagView) partitionLines(s *lag.Snapshot, rows []lag.Row, width int) []lagLine {
	t := table{head: []string{"", "GROUP", "PARTITION", "COMMITTED", "END", "LAG", "OLDEST", "READ BY"}, elastic: []int{2, 1, 7}, middle: []int{1, 2, 7}}
	var said []lagNote
	for _, r := range lag.ByPartition(rows) {
		p := r.Partition
		row := []string{marks[r.Mark], r.Group.Name, fmt.Sprintf("%s/%d", r.Topic.Name, p.ID), "–", "", "?", "", "nobody"}
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
			row[6] = age(s.At.Sub(p.Oldest))
		case p.Unread != nil:
			row[6] = "?"
		}
		t.add(row...)
		said = append(said, lagNote{mark: r.Mark})
	}
	rightward{3: true, 4: true, 5: true, 6: true}.align(t.head, t.rows)
	return layOut(&t, said, width)
}

// rightward are columns that stand to the right.
type rightward map[int]bool

func (n rightward) align(head []string, rows [][]string) {
	for column := range n {
		width := 0
		all := append([][]string{head}, rows...)
		for _, row := range all {
			width = max(width, uniseg.StringWidth(row[column]))
		}
		for _, row := range all {
			row[column] = strings.Repeat(" ", width-uniseg.StringWidth(row[column])) + row[column]
		}
	}
}

// layOut is the table's lines, each with its mark and below it what there is to
// say of it.
func layOut(t *table, said []lagNote, width int) []lagLine {
	t.room(0, 1) // the mark
	t.fit(width)
	text := func(cells []string) string {
		var b strings.Builder
		t.print(&b, cells)
		return strings.TrimSuffix(b.String(), "\n")
	}
	lines := []lagLine{{text: text(t.head)}}
	for i, cells := range t.rows {
		mark, notes := said[i].mark, said[i].notes
		lines = append(lines, lagLine{text(cells), mark})
		if all := strings.Join(notes, "; "); uniseg.StringWidth(all) <= width-3 && all != "" {
			notes = []string{all}
		}
		for _, note := range notes {
			lines = append(lines, lagLine{"   " + cut(visible(note), max(width-3, minColumn)), mark})
		}
	}
	return lines
}

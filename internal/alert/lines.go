package alert

import "strings"

// Lines returns the visible text by line, without empty lines. A line break in a
// value is shown as a control character, so that an event cannot forge a line.
func (t Text) Lines() []string {
	var b strings.Builder
	for _, part := range t {
		if part.Value {
			b.WriteString(Visible(part.Text))
			continue
		}
		for i, line := range strings.Split(part.Text, "\n") {
			if i > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(Visible(line))
		}
	}
	var lines []string
	for line := range strings.SplitSeq(b.String(), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

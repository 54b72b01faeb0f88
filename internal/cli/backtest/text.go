package backtest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/backtest"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/term"
)

// print prints what was counted.
func (r *run) print() error {
	if r.g.JSON() {
		return r.encode()
	}
	if r.compared != nil && r.compared.table != nil {
		r.compared.flush(nil)
		fmt.Fprintln(r.out)
	}
	r.line(0, r.summary())
	r.line(0, fmt.Sprintf("from %s to %s", term.Stamp(r.since), term.Stamp(r.complete)))
	if len(r.dead.causes) > 0 {
		r.line(0, "dead letters: "+r.dead.text())
	}
	for _, v := range r.versions {
		if v.pending > 0 {
			r.line(0, v.pendingText(r.compared != nil))
		}
	}
	if r.compared != nil {
		r.printDiff()
		return nil
	}
	v := r.versions[0]
	r.printRules(v)
	r.printChannels(v)
	for _, name := range v.names {
		r.printFirst(name, v.channels[name])
	}
	return nil
}

// line prints a text, wrapped and indented.
func (r *run) line(indent int, text string) {
	for _, l := range term.Wrap(term.Visible(text), max(r.g.Width()-indent, 40)) {
		fmt.Fprintf(r.out, "%*s%s\n", indent, "", l)
	}
}

// table prints a table below an empty line.
func (r *run) table(t *term.Table) {
	if len(t.Rows) > 0 {
		fmt.Fprintln(r.out)
		t.Write(r.out, r.g.Width())
	}
}

// summary says what was read.
func (r *run) summary() string {
	n := r.total()
	return fmt.Sprintf("%s of %s", plural.Count(n, "event"), strings.Join(r.topics, ", "))
}

// speed says how fast it was read.
func (r *run) speed() string {
	return fmt.Sprintf("read in %s, %s a second", seconds(r.took), plural.Count(r.rate(), "event"))
}

func (r *run) rate() int64 { return int64(float64(r.total()) / max(r.took.Seconds(), 1e-3)) }

func (d *deadLetters) text() string {
	var list []string
	for _, c := range d.causes {
		list = append(list, fmt.Sprintf("%s of %s (%s)", humanize.Comma(int64(c.n)), c.topic, c.cause))
	}
	return strings.Join(list, ", ")
}

func (v *version) pendingText(named bool) string {
	text := plural.Verb(v.pending, "alert waits", "alerts wait") + " at the end, for a digest or a rate limit"
	if named {
		text += ", with " + v.set.name
	}
	return text
}

// printRules prints the alerts of each rule.
func (r *run) printRules(v *version) {
	t := &term.Table{Head: []string{"RULE", "ALERTS", "CRITICAL", "WARNING", "INFO", "RESOLVED"}, Elastic: []int{0}, Right: []int{1, 2, 3, 4, 5}}
	for _, one := range v.set.rules.Rules() {
		c := v.rules[one.Name]
		t.Add(one.Name, number(c.alerts), number(c.by[alert.Critical.Rank()]), number(c.by[alert.Warning.Rank()]), number(c.by[alert.Info.Rank()]), number(c.resolved))
	}
	r.table(t)
}

// printChannels prints what each channel sends, what becomes of the alerts there, and when.
func (r *run) printChannels(v *version) {
	t := &term.Table{Head: []string{"CHANNEL", "MESSAGES", "EDITS", "WORST MINUTE", "LATE P50", "MAX", "FIRST IN 10 s"}, Elastic: []int{0}, Right: []int{1, 2, 4, 5, 6}}
	for _, name := range v.names {
		c := v.channels[name]
		p50, most := c.lateText()
		t.Add(name, number(c.messages), number(c.edits), c.worstText(), p50, most, c.soonText())
	}
	r.table(t)
	r.printDecisions(v)
	r.printHours(v)
}

// printDecisions prints how the deliveries of each channel end.
func (r *run) printDecisions(v *version) {
	decisions := v.decisions()
	t := &term.Table{Head: []string{"CHANNEL"}, Elastic: []int{0}}
	for i, d := range decisions {
		t.Head = append(t.Head, strings.ToUpper(string(d)))
		t.Right = append(t.Right, i+1)
	}
	for _, name := range v.names {
		row := []string{name}
		for _, d := range decisions {
			row = append(row, number(v.channels[name].decisions[d]))
		}
		if len(v.channels[name].decisions) > 0 {
			t.Add(row...)
		}
	}
	r.table(t)
}

// decisions returns the decisions of all channels, the most frequent first.
func (v *version) decisions() []deliverylog.Decision {
	sum := make(map[deliverylog.Decision]int)
	for _, c := range v.channels {
		for d, n := range c.decisions {
			sum[d] += n
		}
	}
	return slices.SortedFunc(maps.Keys(sum), func(a, b deliverylog.Decision) int {
		if sum[a] != sum[b] {
			return sum[b] - sum[a]
		}
		return cmp.Compare(a, b)
	})
}

// mostColumns is how many columns the messages by the hour take at most.
const mostColumns = 48

// printHours draws the messages by the hour, or by several hours.
func (r *run) printHours(v *version) {
	first, last := r.since.Unix()/3600, (r.complete.Unix()-1)/3600
	each := int64(1)
	for (last-first)/each+1 > mostColumns {
		each++
	}
	begin := time.Unix(first*3600, 0)
	t := &term.Table{Head: []string{"MESSAGES BY " + strings.ToUpper(hours(each)), "SINCE " + term.Short(begin)[:len("02 Jan 15:04")] + " " + term.Zone(begin), "MOST"}, Elastic: []int{0}}
	for _, name := range v.names {
		c := v.channels[name]
		columns := make([]int64, (last-first)/each+1)
		for hour, n := range c.hours {
			columns[min(max(hour-first, 0)/each, int64(len(columns)-1))] += n
		}
		if most := slices.Max(columns); most > 0 {
			at := begin.Add(time.Duration(slices.Index(columns, most)*int(each)) * time.Hour)
			for i, n := range columns {
				if n > 0 {
					columns[i] = max(n, (most+6)/7) // higher than an hour without a message
				}
			}
			t.Add(name, term.Bars(columns, most), fmt.Sprintf("%s, %s", humanize.Comma(most), at.Local().Format("02 Jan 15:04")))
		}
	}
	r.table(t)
}

func hours(n int64) string {
	if n == 1 {
		return "hour"
	}
	return fmt.Sprintf("%d hours", n)
}

// printFirst prints the first messages of a channel, as people would have read them.
func (r *run) printFirst(name string, c *channelCount) {
	if len(c.first) == 0 {
		return
	}
	fmt.Fprintln(r.out)
	title := "messages"
	if len(c.first) < c.messages {
		title = fmt.Sprintf("first %d messages", len(c.first))
	}
	r.line(0, fmt.Sprintf("%s of %s, times in %s:", title, name, term.Zone(c.first[0].At)))
	for _, m := range c.first {
		r.printMessage(m)
	}
}

// indent is the column of a message's text.
const indent = len("  02 Jan 15:04:05  critical  ")

func (r *run) printMessage(m backtest.Message) {
	lines := strings.Split(term.VisibleLines(m.Title), "\n")
	if m.Text != "" {
		lines = append(lines, strings.Split(term.VisibleLines(m.Text), "\n")...)
	}
	head := fmt.Sprintf("%s  %s", term.Short(m.At), kind(m))
	for _, line := range lines {
		for _, l := range term.Wrap(line, max(r.g.Width()-indent, 40)) {
			fmt.Fprintf(r.out, "  %-*s%s\n", indent-2, head, l)
			head = ""
		}
	}
}

// kind is what a message is, as a channel shows it.
func kind(m backtest.Message) string {
	switch {
	case m.Resolved:
		return string(alert.Resolved)
	case m.Reminder:
		return "reminder"
	case m.Edit:
		return "edit"
	}
	return string(m.Severity)
}

// worstText is the most messages of a minute, and which one it was.
func (c *channelCount) worstText() string {
	if c.worst == 0 {
		return "–"
	}
	return fmt.Sprintf("%s, %s", humanize.Comma(c.worst), c.worstAt.Local().Format("02 Jan 15:04"))
}

// lateText is the median and the maximum of how late messages are.
func (c *channelCount) lateText() (p50, most string) {
	if len(c.late) == 0 {
		return "–", "–"
	}
	a, b := c.lateness()
	return seconds(a), seconds(b)
}

func (c *channelCount) soonText() string {
	if c.groups == 0 {
		return "–"
	}
	return percent(c.inTime, c.groups)
}

// percent never rounds up to 100 %.
func percent(n, of int) string {
	if n == of {
		return "100 %"
	}
	return fmt.Sprintf("%.1f %%", min(float64(n)/float64(of)*100, 99.9))
}

func number(n int) string {
	if n == 0 {
		return "–"
	}
	return humanize.Comma(int64(n))
}

// seconds shows a delay as 0.2 s, 31 s, 4m10s or 3h20m.
func seconds(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

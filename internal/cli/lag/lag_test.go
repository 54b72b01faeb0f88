package lag

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rivo/uniseg"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/lag"
	"github.com/algotrade/notifier/internal/term"
)

// aMorning is a look of which every row has something to say.
func aMorning() *lag.Snapshot {
	now := time.Date(2026, 11, 26, 9, 30, 0, 0, time.UTC)
	part := func(id int32, client string, committed, start, end int64, oldest time.Duration) lag.Partition {
		p := lag.Partition{ID: id, ClientID: client, Committed: committed, Part: lag.Part{Start: start, End: end, Waiting: end - max(committed, start)}, HighWatermark: end}
		if oldest > 0 {
			p.Oldest = now.Add(-oldest)
		}
		return p
	}
	stuck := part(0, "", 100, 400, 12_745, 2*time.Hour)
	stuck.Lost, stuck.KeptUntil = 300, now.Add(30*time.Minute)
	open := part(0, "risk-1", 70, 0, 70, 0)
	open.HighWatermark = 95
	forbidden := part(0, "audit-1", 5, 0, 9, 0)
	forbidden.Unread = errors.New("not authorised: READ on topic payments; the age is unknown")
	return &lag.Snapshot{At: now, Groups: []lag.Group{
		{Name: "notification-service", State: "Stable", Members: 2, Topics: []lag.GroupTopic{{Name: "trade-executions", Partitions: []lag.Partition{part(0, "notifier-match", 10, 0, 12, 300*time.Millisecond), part(1, "notifier-match", 5, 0, 5, 0)}}}},
		{Name: "notification-service.outbox", State: "PreparingRebalance", Members: 2, Topics: []lag.GroupTopic{{Name: "notification-service.outbox.desk-slack", Partitions: []lag.Partition{part(0, "notifier-deliver", 40, 0, 90, 3*time.Minute)}}}},
		{Name: "audit", State: "Stable", Members: 1, Topics: []lag.GroupTopic{{Name: "orders", Err: lag.ErrNoTopic}, {Name: "payments", Partitions: []lag.Partition{forbidden}}}},
		{Name: "order-service", State: "Empty", Topics: []lag.GroupTopic{{Name: "trade-executions", Partitions: []lag.Partition{stuck, part(1, "", -1, 0, 7, time.Minute)}}}},
		{Name: "risk-service", State: "Stable", Members: 1, Topics: []lag.GroupTopic{{Name: "portfolio-updates", Partitions: []lag.Partition{open}}}},
		{Name: "secret-service", Err: errors.New("not authorised: DESCRIBE on group secret-service")},
		{Name: "gone-service", State: lag.Dead},
	}}
}

func TestLagTable(t *testing.T) {
	v := &view{g: &base.Globals{IO: base.Streams{Out: &bytes.Buffer{}}}}
	s := aMorning()
	var b strings.Builder
	show := func(title string, lines []line) {
		fmt.Fprintf(&b, "-- %s --\n", title)
		for _, line := range lines {
			fmt.Fprintln(&b, line.text)
			if w := uniseg.StringWidth(line.text); w > 100 {
				t.Errorf("a line is %d columns wide: %s", w, line.text)
			}
		}
	}
	show("topics", v.lines(s, nil, 100))
	w := &screen{v: v, trends: make(map[string][]waited)}
	for i := range 15 {
		past := *s
		past.At = s.At.Add(-time.Duration(14-i) * 20 * time.Second)
		w.take(&past)
	}
	show("with trends", v.lines(s, w.trend, 100))
	v.f.partitions = true
	show("partitions", v.lines(s, nil, 100))
	clitest.Golden(t, "lag.golden", b.String())
}

// TestFailedSampleIsShownAboveTable, and control characters stay out.
func TestFailedSampleIsShownAboveTable(t *testing.T) {
	v := &view{g: &base.Globals{IO: base.Streams{Out: &bytes.Buffer{}}}, f: flags{interval: 5 * time.Second}}
	s := aMorning()
	s.Groups = append(s.Groups, lag.Group{Name: "evil\x1b[2J", State: "Stable", Members: 1})
	w := &screen{v: v, trends: make(map[string][]waited), err: errors.New("no broker answers")}
	w.take(s)
	frame := w.frame(100)
	if len(frame) < 4 || frame[0].Text != "10:30:00 CET  every 5s  Ctrl-C ends" || frame[1].Text != "failed, retrying: no broker answers" ||
		frame[1].Colour != term.Red || frame[2].Colour != term.Faint {
		t.Errorf("it shows %q", frame)
	}
	for _, line := range frame {
		if strings.ContainsRune(line.Text, '\x1b') {
			t.Errorf("a group's name reaches the terminal: %q", line.Text)
		}
	}
}

func TestSparklines(t *testing.T) {
	now := time.Now()
	at := func(back time.Duration, n int64) waited { return waited{at: now.Add(-back), waiting: n} }
	for _, c := range []struct {
		what    string
		samples []waited
		want    string
	}{
		{"nothing was seen", nil, "               "},
		{"nothing waits", []waited{at(25*time.Second, 0), at(0, 0)}, "             ▁▁"},
		{"it grows", []waited{at(50*time.Second, 0), at(30*time.Second, 500), at(0, 1000)}, "            ▁▄█"},
		{"the most of each column", []waited{at(15*time.Second, 10), at(5*time.Second, 1000), at(0, 0)}, "              █"},
		{"long ago", []waited{at(10*time.Minute, 9)}, "               "},
	} {
		if got := sparkline(c.samples, now); got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

package dispatch

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/notice"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/silence"
)

// Notices sends alerts of the notifier itself.
type Notices interface {
	// Send returns once the alert is in the channel's outbox.
	Send(ctx context.Context, channel string, a alert.Alert) error
}

const (
	// reportAfter is how long after the end of a silence, and after the last alert that it
	// silenced, the report is sent: other processes may have to write what they counted.
	reportAfter = 5 * time.Second
	// retryReport is the pause after a report that could not be sent.
	retryReport = 10 * time.Second
	// lookForReports is after how long at most it is looked whether there is one to send, or
	// something to forget.
	lookForReports = time.Hour
)

// report tells the channel what was silenced, once that has ended, and returns when to look
// again. The owner of the outbox's first partition does so. Of what comes later, there is
// another report. A crash may repeat one, with the id of the former one.
func (o *Dispatcher) report(now time.Time) (again time.Time) {
	s := &o.silencing
	if o.p.Notices == nil || s.telling || !s.known || len(s.tallies) == 0 || !o.ownsPartition(0) {
		return time.Time{}
	}
	if s.look.After(now) {
		return s.look
	}
	if o.gone() {
		return time.Time{}
	}
	again = now.Add(lookForReports)
	for _, cause := range s.causes() {
		sum := s.total(cause)
		if sum.Count <= s.told[cause] {
			if sum.Ends.Add(silence.Kept).Before(now) {
				o.forget(cause)
			}
			continue
		}
		if due := latest(sum.Ends, sum.Last).Add(reportAfter); due.After(now) {
			again = earlier(again, due)
			continue
		}
		s.telling = true
		a := s.reportOf(o.p.Group, cause, sum, now)
		o.p.Driver.Go(Work{Do: func() { o.tellReport(cause, sum.Count, a) }})
		return time.Time{}
	}
	s.look = again
	return again
}

func (o *Dispatcher) tellReport(cause string, count int, a alert.Alert) {
	err := o.p.Notices.Send(o.ctx, o.p.Name, a)
	o.mu.Lock()
	defer o.mu.Unlock()
	s := &o.silencing
	switch s.telling = false; {
	case o.ctx.Err() != nil:
		return
	case err != nil:
		s.look = o.now().Add(retryReport)
		o.log.Warn("report of silenced alerts cannot be sent, it will be tried again", "report", cause, "err", err)
	default:
		if s.told == nil {
			s.told = make(map[string]int)
		}
		s.told[cause], s.look = count, time.Time{}
		o.change(toldState(cause), true)
	}
	o.pump()
}

// causes returns the causes that have a tally, in the order of their ids.
func (s *silencing) causes() []string {
	seen := make(map[string]bool)
	for key := range s.tallies {
		seen[key.Cause] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// total returns what a cause has kept from being sent in all partitions. It ends when the
// silence does by now.
func (s *silencing) total(cause string) (all silence.Tally) {
	for key, t := range s.tallies {
		if key.Cause == cause {
			all = all.Plus(t.sum())
		}
	}
	if one := s.silences[cause]; one != nil {
		all.Ends = one.Ends
	}
	return all
}

// reportOf returns the alert that tells of what was silenced and not told yet.
func (s *silencing) reportOf(group, cause string, sum silence.Tally, now time.Time) alert.Alert {
	n := sum.Count - s.told[cause]
	a := alert.Alert{
		ID: notice.ID(group, fmt.Sprintf("silenced %s %d", cause, sum.Count), sum.Ends), Severity: alert.Info, WorstSeverity: alert.Info,
		Key: []string{cause}, EventTime: now,
	}
	counts := plural.Count(n, "alert") + " suppressed"
	if s.told[cause] > 0 {
		counts = plural.Count(n, "more alert") + " suppressed"
	}
	counts += ", worst " + string(sum.Worst)
	if one := s.silences[cause]; one != nil {
		a.Title = alert.Text{{Text: "Silence " + one.ID + " ended ("}, {Text: one.Comment, Value: true}, {Text: "): " + counts}}
	} else if calendar, _, quiet := strings.Cut(strings.TrimPrefix(cause, "quiet:"), "@"); quiet {
		a.Title = alert.Text{{Text: "Quiet hours "}, {Text: calendar, Value: true}, {Text: " ended: " + counts}}
	} else {
		a.Title = alert.Text{{Text: "Silence "}, {Text: cause, Value: true}, {Text: " ended: " + counts}}
	}
	var rules []string
	for _, rule := range slices.Sorted(maps.Keys(sum.Rules)) {
		if rule != "" {
			rules = append(rules, fmt.Sprintf("%s (%d)", rule, sum.Rules[rule]))
		}
	}
	if more := sum.Rules[""]; more > 0 {
		rules = append(rules, fmt.Sprintf("others (%d)", more))
	}
	field := func(label, value string) {
		a.Fields = append(a.Fields, alert.Field{Label: label, Value: alert.Text{{Text: value, Value: true}}})
	}
	field("rules", strings.Join(rules, ", "))
	field("worst", sum.Title)
	if one := s.silences[cause]; one != nil {
		field("match", one.MatchText())
		if one.ExpiredBy != "" {
			field("ended by", one.ExpiredBy)
		}
	}
	a.Bound()
	return a
}

// forget deletes what is known of a cause that has ended long ago.
func (o *Dispatcher) forget(cause string) {
	s := &o.silencing
	for key := range s.tallies {
		if key.Cause == cause {
			delete(s.tallies, key)
			o.change(tallyState(key), false)
		}
	}
	delete(s.told, cause)
	o.change(toldState(cause), false)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

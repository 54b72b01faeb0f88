package explain

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/record"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/state"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/topics"
)

type delivery = deliverylog.Record

// cluster is the configured cluster, connected to when it is needed.
type cluster struct {
	g      *base.Globals
	config *kafka.Config
	client *kgo.Client
}

func (c *cluster) open(ctx context.Context) (err error) {
	if c.client == nil {
		c.client, err = c.g.Reach(ctx, c.config, "explain", record.Options()...)
	}
	return err
}

func (c *cluster) close() {
	if c.client != nil {
		c.client.Close()
	}
}

func (c *cluster) log() *deliverylog.Reader { return deliverylog.NewReader(c.client, c.config.Group) }

// explain names the remedy of an error of reading one of the group's topics.
func (c *cluster) explain(err error) error {
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return fmt.Errorf("a topic of the group %s is missing: run 'notifier topics create'", c.config.Group)
	}
	return err
}

// told is what the brokers know of an event.
type told struct {
	place      *record.Place
	source     alert.Source
	group      string
	deliveries map[string][]*delivery // by rule
	again      []alert.Alert          // that an event like this one raises now
	outlook    *dispatch.Outlook      // nil: it is not known
	committed  int64                  // the group's offset in the partition; -1: not known
	dead       *dlq.Entry             // of an event that cannot be decoded; nil: there is none
	deadID     string                 // that it has or would have

	mu    sync.Mutex
	notes []string // what could not be found out
}

const (
	// reachWithin is how long brokers are waited for that an event from a file does not need.
	reachWithin = time.Second
	// readWithin bounds the reading of each of the group's topics.
	readWithin = 10 * time.Second
	// clockMargin is by how much a producer's clock may be ahead of the daemon's.
	clockMargin = time.Hour
)

func (t *told) note(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

// ask asks the brokers what became of the event's alerts, and what would become of them now.
// What cannot be found out is noted.
func (r *report) ask(ctx context.Context, c *cluster) error {
	if c.client == nil {
		within, cancel := context.WithTimeout(ctx, reachWithin)
		defer cancel()
		if c.open(within) != nil {
			r.note("what would be sent now is not known: no broker answers at %s", strings.Join(c.config.Brokers, ","))
			return nil
		}
	}
	if r.place != nil {
		var err error
		if r.source, err = record.Identity(ctx, c.client, *r.place); err != nil {
			return err
		}
	}
	var reads sync.WaitGroup // most of the time is round trips
	defer reads.Wait()
	if r.place != nil {
		reads.Go(func() { r.readCommitted(ctx, c) })
	}
	if r.event == nil {
		r.findDead(ctx, c)
		return nil
	}
	if r.place != nil && r.deliveries == nil {
		reads.Go(func() { r.readLog(ctx, c) })
	}
	r.readState(ctx, c)
	return nil
}

// alertID returns the id of an alert of the event.
func (r *report) alertID(a *alert.Alert) string {
	if a.State == alert.Resolved {
		return alert.NewResolvedID(r.group, r.source, a.Rule)
	}
	return alert.NewID(r.group, r.source, a.Rule)
}

func (r *report) readCommitted(ctx context.Context, c *cluster) {
	offsets, err := kadm.NewClient(c.client).FetchOffsets(ctx, c.config.Group)
	if err != nil {
		return // it needs a right that the rest does not
	}
	if at, ok := offsets.Lookup(string(r.place.Topic), r.place.Partition); ok && at.Err == nil {
		r.committed = at.At
	}
}

func (r *report) readLog(ctx context.Context, c *cluster) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	rules := make(map[string]string) // by the id of an alert
	var ids []string
	for _, e := range r.rules {
		for _, id := range []string{alert.NewID(c.config.Group, r.source, e.Rule), alert.NewResolvedID(c.config.Group, r.source, e.Rule)} {
			rules[id] = e.Rule
			ids = append(ids, id)
		}
	}
	of, err := c.log().Of(ctx, r.record.Time.Add(-clockMargin), ids...)
	if err != nil {
		r.note("what became of its alerts is not known: reading the delivery log failed: %v", c.explain(err))
	}
	r.deliveries = make(map[string][]*delivery)
	for id, list := range of {
		r.deliveries[rules[id]] = append(r.deliveries[rules[id]], list...)
	}
}

func (r *report) readState(ctx context.Context, c *cluster) {
	if len(r.again) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	outlook := dispatch.NewOutlook(r.asked, r.again...)
	if err := state.Each(ctx, dlq.NewLog(c.client), c.config.Group, outlook.Learn); err != nil {
		r.note("what would be sent now is not known: reading %s failed: %v", topics.State(c.config.Group), c.explain(err))
		return
	}
	r.outlook = outlook
}

// findDead looks for the dead letter of an event that cannot be decoded.
func (r *report) findDead(ctx context.Context, c *cluster) {
	if r.place == nil || r.record == nil || r.record.Value == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	r.deadID = alert.NewEntry(c.config.Group, r.source)
	query := dlq.Query{Sources: []topics.Name{r.place.Topic}, Closed: true, Brief: true}
	err := dlq.NewReader(c.client, c.config.Group).Each(ctx, query, func(e *dlq.Entry) bool {
		if e.ID == r.deadID {
			r.dead = e
		}
		return r.dead == nil
	})
	if err != nil && r.dead == nil {
		r.note("its dead letter is not known: %v", c.explain(err))
	}
}

var atByte = regexp.MustCompile(`\bat byte (\d+)`)

// undecodable notes why an event cannot be read, and where.
func (r *report) undecodable(e *outcome.Error) {
	r.cause = e.Cause
	r.problem = "it is no event, and becomes a dead letter: " + e.Detail
	m := atByte.FindStringSubmatch(e.Detail)
	if m == nil || event.Compressed(r.record.Value) || strings.HasPrefix(e.Detail, "inside ") {
		return // the bytes are not those of the record
	}
	const around = 30 // bytes
	at, err := strconv.Atoi(m[1])
	if err != nil || at > len(r.record.Value) {
		return
	}
	start, end := max(0, at-around), min(len(r.record.Value), at+around)
	before, behind := shownBytes(r.record.Value[start:at]), shownBytes(r.record.Value[at:end])
	if start > 0 {
		before = "…" + before
	}
	if end < len(r.record.Value) {
		behind += "…"
	}
	r.excerpt = []string{before + behind, strings.Repeat(" ", uniseg.StringWidth(before)) + "^ byte " + m[1]}
}

// shownBytes returns bytes as a terminal can show them.
func shownBytes(b []byte) string {
	var text strings.Builder
	for len(b) > 0 {
		c, n := utf8.DecodeRune(b)
		if c == utf8.RuneError && n == 1 {
			fmt.Fprintf(&text, `\x%02x`, b[0])
		} else {
			text.WriteString(term.Visible(string(b[:n])))
		}
		b = b[n:]
	}
	return text.String()
}

//go:build synctests

package endtoend

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/topics"
)

// evidence is what is left of a trial once it has come to rest.
type evidence struct {
	begun  time.Time
	events []*original
	steps  []step
	// logs is what our outboxes hold, and held before they were deleted.
	logs []outboxLog
	// letters are the records of the dead-letter topics in their order, those of
	// topics that were deleted first.
	letters []letter
	// sources is how many records each source topic holds.
	sources map[string]int
}

// outboxLog is one instance of an outbox topic.
type outboxLog struct {
	topic, id string
	records   []*kgo.Record
}

// letter is a record of a dead-letter topic; gone: the topic was deleted.
type letter struct {
	*kgo.Record
	gone bool
}

// judge says what is wrong with a trial. It holds that each event is delivered
// or dead-lettered for each channel that it alerts; that what is sent twice has
// a reason that semantics allow; the order of each lane; that no commit goes
// back or claims what is not done; and that dead letters are byte for byte what
// came.
func judge(e *evidence) (wrong []string) {
	c := &court{evidence: e}
	c.read()
	c.delivered()
	c.repeated()
	c.ordered()
	c.commits()
	c.buried()
	c.untouched()
	return c.wrong
}

// case_ is what is known of one event on one channel.
type case_ struct {
	begun   int   // the step at which its first attempt began; -1: none
	takes   []int // the steps at which a provider took it
	first   int   // the first of them that the process heard of; -1: none
	excused bool  // it was in an outbox that a person deleted
}

// place is where a record of an instance of an outbox stands.
type place struct {
	log       int
	partition int32
	offset    int64
}

// copied is one record of an outbox, read.
type copied struct {
	place
	event    int
	channel  string
	delivery string
}

type court struct {
	*evidence
	wrong   []string
	cases   map[string]*case_              // by channel and event
	logs    [][]*copied                    // the records of each log
	copies  map[string][]*copied           // by channel and event, replays of deliveries apart
	letters map[string][]letter            // by entry
	entries map[string]string              // entry by event and channel
	coords  map[string]*original           // by place in a source
	bySpot  map[topicPartition][]*original // in order
	anew    map[string]bool                // topics that were deleted and made again
}

func (c *court) blame(format string, args ...any) {
	if len(c.wrong) < 20 {
		c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
	}
}

func about(channel string, n int) string { return fmt.Sprintf("%s #%d", channel, n) }

func (c *court) of(channel string, n int) *case_ {
	k := c.cases[about(channel, n)]
	if k == nil {
		k = &case_{begun: -1, first: -1}
		c.cases[about(channel, n)] = k
	}
	return k
}

// read sorts the evidence.
func (c *court) read() {
	c.cases, c.copies, c.anew = make(map[string]*case_), make(map[string][]*copied), make(map[string]bool)
	c.coords, c.bySpot = make(map[string]*original), make(map[topicPartition][]*original)
	c.letters, c.entries = make(map[string][]letter), make(map[string]string)
	for _, e := range c.events {
		at := topicPartition{e.record.Topic, e.record.Partition}
		c.coords[e.where()] = e
		c.bySpot[at] = append(c.bySpot[at], e)
	}
	for _, es := range c.bySpot {
		slices.SortFunc(es, func(a, b *original) int { return int(a.record.Offset - b.record.Offset) })
	}
	for i, s := range c.steps {
		switch s.kind {
		case begin, taken, unsure:
			k := c.of(s.channel, s.event)
			switch {
			case s.kind == begin && k.begun < 0 && !s.replay:
				k.begun = i
			case s.kind == taken || s.kind == unsure:
				k.takes = append(k.takes, i)
			}
			if s.kind == taken && k.first < 0 {
				k.first = i
			}
		case deleted:
			c.anew[s.text] = true
			for _, n := range s.partial {
				c.of(s.channel, n).excused = true
			}
		case garbled, complains:
			c.blame("%s", s)
		}
	}
	for i, log := range c.evidence.logs {
		c.logs = append(c.logs, nil)
		for _, r := range log.records {
			e, _, err := envelope.Parse(r)
			if err != nil || c.coords[e.Source.String()] == nil {
				c.blame("a record of %s is not in the format, or of no event: %v", log.topic, err)
				continue
			}
			x := &copied{place{i, r.Partition, r.Offset}, c.coords[e.Source.String()].n, e.Channel, e.Delivery}
			c.logs[i] = append(c.logs[i], x)
			if !e.Resolves() {
				c.copies[about(x.channel, x.event)] = append(c.copies[about(x.channel, x.event)], x)
			}
		}
	}
	for _, l := range c.evidence.letters {
		c.letters[string(l.Key)] = append(c.letters[string(l.Key)], l)
		if l.Value != nil {
			c.entry(l)
		}
	}
}

// entry holds that a dead letter is what came, and the only one of its kind.
func (c *court) entry(l letter) {
	e := dlq.Parse(l.Record)
	if e.State == dlq.Malformed {
		c.blame("dead letter %s is malformed: %s", e.ID, e.Detail)
		return
	}
	o := c.coords[e.Envelope.Source.String()]
	if o == nil {
		c.blame("dead letter %s is of %s, where there is no event", e.ID, e.Envelope.Source)
		return
	}
	if s := e.Envelope.Source; !o.sameBytes(s.Key, s.Value, s.Headers) {
		c.blame("dead letter %s does not have the bytes of #%d: %q %q %q", e.ID, o.n, s.Key, s.Value, s.Headers)
	}
	if o.poison != (e.Envelope.Channel == "") {
		c.blame("dead letter %s of #%d is for channel %q", e.ID, o.n, e.Envelope.Channel)
	}
	what := about(e.Envelope.Channel, o.n)
	if other, known := c.entries[what]; known && other != e.ID {
		c.blame("%s has two dead letters, %s and %s", what, other, e.ID)
	}
	c.entries[what] = e.ID
}

// delivered holds that nothing is lost, and that nothing is sent that should
// not be.
func (c *court) delivered() {
	for _, e := range c.events {
		if e.poison && c.entries[about("", e.n)] == "" {
			c.blame("lost: #%d is poison and has no dead letter", e.n)
		}
		for _, channel := range []string{"calm", "rough"} {
			k, sent := c.cases[about(channel, e.n)], false
			for _, to := range e.to {
				sent = sent || to == channel
			}
			switch {
			case !sent && k != nil && k.begun >= 0:
				c.blame("%s was sent and should not be", about(channel, e.n))
			case sent && (k == nil || len(k.takes) == 0 && !k.excused) && c.entries[about(channel, e.n)] == "":
				c.blame("lost: %s is neither delivered nor dead-lettered", about(channel, e.n))
			}
		}
	}
}

// repeated holds that what is sent twice has a reason, and how much one
// disturbance may repeat.
func (c *court) repeated() {
	counts := make(map[string]int)
	for what, k := range c.cases {
		for i := 1; i < len(k.takes); i++ {
			a, b := c.steps[k.takes[i-1]], c.steps[k.takes[i]]
			if a.kind == unsure || b.replay && c.entries[what] != "" {
				continue
			}
			why := c.reason(k.takes[i-1], k.takes[i])
			if why == "" {
				c.blame("repeated without a reason: %s, by %s at %s and by %s at %s", what, a.node, a.at, b.node, b.at)
				continue
			}
			counts[fmt.Sprintf("%s, on %s/%d", why, a.channel, c.partitionOf(a))]++
		}
	}
	for what, n := range counts {
		unbounded := slices.ContainsFunc([]string{"went back", "deleted", "did not fit"}, func(why string) bool { return strings.Contains(what, why) })
		if !unbounded && n > uncommitted+concurrency { // settled and not committed, and in flight
			c.blame("%d are repeated for one reason: %s", n, what)
		}
	}
}

// partitionOf returns the outbox partition of an attempt.
func (c *court) partitionOf(s step) int32 {
	if all := c.copies[about(s.channel, s.event)]; len(all) > 0 {
		return all[0].partition
	}
	return -1
}

// began returns the step at which the attempt began that ended at step i.
func (c *court) began(i int) int {
	end := c.steps[i]
	for ; i > 0; i-- {
		s := c.steps[i]
		if s.kind == begin && s.event == end.event && s.channel == end.channel && s.tries == end.tries {
			return i
		}
	}
	return i
}

// fullMetadata is the length from which on a commit may have left marks of the
// repeat filter out: its limit is 4,000 characters, a mark takes about 43.
const fullMetadata = 3900

// reason returns what explains that an event taken at step a was taken again at
// step b: that the first owner died before it could commit, was held up, had
// lost its partition or could not commit; that the second is a former owner who
// has not heard of it; or that an attempt outlasted the wait of a revoke for it.
func (c *court) reason(a, b int) (why string) {
	from, again := c.steps[a], c.steps[b]
	began, begunAgain := c.began(a), c.began(b)
	held := make(map[string]bool)
	say := func(s step, what string) { why = fmt.Sprintf("%s: %s at %s", s.node, what, s.at) }
	for _, s := range c.steps[b:] { // it may hear of it later, or die before
		if (s.node == from.node || s.node == again.node) && (s.kind == crashed || s.kind == moved && strings.Contains(s.text, "partitions lost")) && s.at-again.at < session+rebalance {
			say(s, "heard late that it had lost it")
		}
	}
	for i, s := range c.steps[:b] {
		gives := s.kind == leaves || s.kind == moved && strings.Contains(s.text, "partitions revoked")
		loses := s.kind == moved && strings.Contains(s.text, "partitions lost")
		switch {
		case s.kind == heldUp:
			held[s.node] = true
		case s.kind == goesOn:
			held[s.node] = false
		}
		switch {
		// What is lost is given up an instant after the group has said so.
		case s.node == from.node && s.at >= c.steps[began].at-10*time.Millisecond && (s.kind == crashed || loses || s.kind == heldUp || s.kind == goesOn || held[s.node]):
			say(s, string(s.kind))
		case s.node == from.node && i > a && s.kind == moved && strings.Contains(s.text, "commit failed"):
			say(s, "could not commit")
		case s.node == from.node && i >= began && s.kind == moved && strings.Contains(s.text, "a dead letter cannot be written"):
			say(s, "could not write how it ended")
		case s.node == again.node && i >= begunAgain && (loses || s.kind == goesOn || held[s.node]):
			say(s, "did not know that it had lost it")
		case s.node == again.node && i > a && s.kind == goesOn:
			say(s, "woke up")
		case s.node == from.node && gives && i >= began && i < a && from.at-c.steps[began].at > 800*time.Millisecond,
			s.node == again.node && gives && i >= begunAgain && again.at-c.steps[begunAgain].at > 800*time.Millisecond:
			say(s, "overtaken")
		case s.kind == back && strings.HasPrefix(s.text, fmt.Sprintf("%s/%d ", topics.Outbox(group, from.channel), c.partitionOf(from))):
			say(s, "the offset went back") // a commit came late, or the client took the log for cut off
		case i >= a && s.kind == committed && len(s.commit.metadata) > fullMetadata && s.commit.topic == topics.Outbox(group, from.channel) && s.commit.partition == c.partitionOf(from):
			say(s, "the marks of the repeat filter did not fit")
		case s.kind == deleted && s.channel == from.channel: // and the marks of its repeat filter with it
			say(s, "deleted")
		}
	}
	return why
}

// ordered holds that within a lane the first attempt of one begins after the
// outcome of the one before.
func (c *court) ordered() {
	for _, channel := range []string{"calm", "rough"} {
		before := make(map[string]*original)
		for _, es := range c.bySpot {
			for _, e := range es {
				if e.lane() == "" || !slices.Contains(e.to, channel) {
					continue
				}
				if x := before[e.lane()]; x != nil {
					c.follows(channel, x, e)
				}
				before[e.lane()] = e
			}
		}
	}
}

func (c *court) follows(channel string, x, y *original) {
	kx, ky := c.of(channel, x.n), c.of(channel, y.n)
	if kx.excused || ky.excused || ky.begun < 0 {
		return
	}
	if kx.first >= 0 && kx.first < ky.begun {
		return
	}
	if id := c.entries[about(channel, x.n)]; id != "" {
		if written := c.letters[id][0].Timestamp.Sub(c.begun); written <= c.steps[ky.begun].at {
			return
		}
	}
	c.blame("order broken: %s began at %s, and %s before it in %s had no outcome", about(channel, y.n), c.steps[ky.begun].at, about(channel, x.n), x.lane())
}

// untouched holds that sources hold what was written to them, and nothing of
// ours.
func (c *court) untouched() {
	want := make(map[string]int)
	for _, e := range c.events {
		want[e.record.Topic]++
	}
	for topic, n := range c.sources {
		if n != want[topic] {
			c.blame("%s holds %d records, %d were written to it", topic, n, want[topic])
		}
	}
}

// buried holds that an entry is closed only for what was delivered, or sent
// through the rules again.
func (c *court) buried() {
	for _, e := range c.events {
		for _, channel := range e.to {
			id := c.entries[about(channel, e.n)]
			if id == "" {
				continue
			}
			all := c.letters[id]
			if last := all[len(all)-1]; last.Value == nil && len(c.of(channel, e.n).takes) == 0 {
				c.blame("%s is closed and was not delivered", about(channel, e.n))
			}
		}
	}
}

// claims is what a commit says.
type claims struct {
	topicID string
	offset  int64
	newest  int64
	runs    [][2]int64 // unfinished offsets above offset, up to newest
}

// finished reports whether the commit says that a record is done.
func (c *claims) finished(offset int64) bool {
	if offset < c.offset {
		return true
	}
	for _, r := range c.runs {
		if offset >= r[0] && offset <= r[1] {
			return false
		}
	}
	return offset <= c.newest
}

// readClaims reads a commit's metadata, apart from the code that wrote it.
func readClaims(c *commit) (*claims, error) {
	f := strings.Fields(c.metadata)
	if len(f) < 3 || f[0] != "notifier/2" {
		return nil, fmt.Errorf("metadata %q", c.metadata)
	}
	out := &claims{topicID: f[2], offset: c.offset, newest: c.offset - 1}
	if len(f) < 5 {
		return out, nil
	}
	raw, err := base64.RawStdEncoding.DecodeString(f[4])
	if err != nil {
		return nil, err
	}
	next := func() int64 {
		v, n := binary.Uvarint(raw)
		raw = raw[max(n, 0):]
		return int64(v)
	}
	out.newest = c.offset + next()
	for at := c.offset; len(raw) > 0; {
		from := at + next()
		to := from + next()
		out.runs = append(out.runs, [2]int64{from, to})
		at = to + 1
	}
	return out, nil
}

// commits holds that none claims what was not done when it was asked for,
// whether it was accepted or not, and that none that stood went back.
func (c *court) commits() {
	c.wentBack()
	checked := make(map[topicPartition]int64) // sources: below it all is checked
	done := make(map[place]bool)              // outboxes
	for i, s := range c.steps {
		if s.kind != committed || s.commit.topic == "" {
			continue
		}
		said, err := readClaims(s.commit)
		if err != nil {
			c.blame("%s: %v", s, err)
			continue
		}
		at := topicPartition{s.commit.topic, s.commit.partition}
		if s.commit.group == topics.OutboxGroup(group) {
			c.outboxCommit(i, s, said, done)
			continue
		}
		for _, e := range c.bySpot[at] {
			if o := e.record.Offset; o >= checked[at] && o < said.offset {
				c.sourceDone(s, e)
			}
		}
		checked[at] = max(checked[at], said.offset)
	}
}

// sourceDone holds that what an event raised was safe when a commit passed it.
func (c *court) sourceDone(s step, e *original) {
	for _, channel := range e.to {
		if !c.inOutbox(s, channel, e) && !c.hasLetter(s, about(channel, e.n), e) {
			c.blame("%s passes #%d, which is not in the outbox of %s", s, e.n, channel)
		}
	}
	if e.poison && !c.hasLetter(s, about("", e.n), e) {
		c.blame("%s passes #%d, which is poison and has no dead letter", s, e.n)
	}
}

func (c *court) inOutbox(s step, channel string, e *original) bool {
	topic := topics.Outbox(group, channel)
	for _, x := range c.copies[about(channel, e.n)] {
		if c.anew[topic] || x.offset < s.commit.ends[topicPartition{topic, x.partition}] {
			return true
		}
	}
	return false
}

func (e *original) where() string {
	return fmt.Sprintf("%s/%d@%d", e.record.Topic, e.record.Partition, e.record.Offset)
}

func (c *court) hasLetter(s step, what string, e *original) bool {
	topic := topics.DeadLetter(group, topics.Name(e.record.Topic))
	for _, l := range c.letters[c.entries[what]] {
		if l.gone || l.Offset < s.commit.ends[topicPartition{topic, l.Partition}] || c.anew[topic] {
			return true
		}
	}
	return false
}

// outboxCommit holds that what a commit of an outbox calls finished has its
// outcome, or stood there before.
func (c *court) outboxCommit(at int, s step, said *claims, done map[place]bool) {
	for i, log := range c.evidence.logs {
		if log.topic != s.commit.topic || log.id != said.topicID {
			continue
		}
		for _, x := range c.logs[i] {
			if x.partition != s.commit.partition || done[x.place] || !said.finished(x.offset) {
				continue
			}
			done[x.place] = true
			k := c.of(x.channel, x.event)
			heard := k.first >= 0 && k.first < at
			if !heard && !c.hasLetter(s, about(x.channel, x.event), c.events[x.event]) && !c.stoodBefore(x) {
				c.blame("%s calls @%d finished, which is %s and has no outcome", s, x.offset, about(x.channel, x.event))
			}
		}
	}
}

// stoodBefore reports whether the same delivery stands before a record, or in
// another instance of the topic: then it is a repeat.
func (c *court) stoodBefore(x *copied) bool {
	for _, p := range c.copies[about(x.channel, x.event)] {
		if p.log != x.log || p.partition == x.partition && p.offset < x.offset {
			return true
		}
	}
	return false
}

// wentBack judges the committed offsets as they were seen to stand. They may go
// back where a commit that nobody answered in time is carried out late, behind
// the next: by the one that asked for both.
func (c *court) wentBack() {
	for i, s := range c.steps {
		if s.kind == back && !slices.ContainsFunc(c.steps[:i], func(before step) bool {
			return before.kind == goesOn || before.kind == moved && strings.Contains(before.text, "lost records") || before.kind == fault && (before.text == "commit-slow" || before.text == "coordinators-move")
		}) {
			c.blame("%s", s)
		}
	}
}

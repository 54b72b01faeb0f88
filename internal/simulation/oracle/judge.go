package oracle

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Limits are what a history is measured by.
type Limits struct {
	// Uncommitted is how many deliveries of one outbox partition may be settled
	// and not committed.
	Uncommitted int
}

// Judge goes through a history, one happening after the other.
type Judge struct {
	limits Limits
	n      int // happenings
	faults []Violation

	events   map[Place]string // the digests of what was produced
	work     map[owned]map[int64]Happening
	records  map[partition][]*record // of outboxes
	items    map[string]*item
	letters  map[string]*letter
	requests map[Place]*Happening
	sent     map[string][]Happening // by throttle key: what was delivered

	owners    map[member]int
	claims    map[member][]claim
	commits   map[member]commit
	cuts      map[member]int64 // where a log was said to end, since the last commit
	high      map[member]int64 // the highest offset ever committed
	touched   map[owned]map[int64]bool
	since     map[owned]int     // when an owner first had a partition
	delivered map[sender]tally  // deliveries that succeeded
	stale     map[owned]int     // what was settled by one that owns the partition no more
	regained  map[owned]bool    // an owner has it for the second time, or more
	newest    map[writing]int64 // the highest offset that a lane's records were made of
	last      Happening
}

// member is a partition as a group reads it.
type member struct {
	group string
	partition
}

type owned struct {
	by int
	partition
}

// writing is a lane of an outbox partition, as a process makes it of an input.
type writing struct {
	input  owned
	outbox partition
	lane   string
}

// sender is a process and the outbox topic it sends from.
type sender struct {
	by    int
	topic string
}

// tally counts what happens. What happens at the same instant as an attempt
// begins may have come before the attempt was decided on, or after.
type tally struct {
	n, before int // in all, and before the last instant
	at        time.Duration
}

func (t tally) one(at time.Duration) tally {
	if at > t.at {
		t.before, t.at = t.n, at
	}
	t.n++
	return t
}

// until returns how much had happened for certain before an instant.
func (t tally) until(at time.Duration) int {
	if at == t.at {
		return t.before
	}
	return t.n
}

type commit struct {
	offset int64
	above  []Span
	when   int // it was asked for
}

// claim is a commit that was asked for.
type claim struct {
	by     int
	offset int64
	above  []Span
	when   int
	cut    bool // before the client took the log for cut off
}

// covers reports whether the commit says that an offset is finished.
func (c commit) covers(offset int64) bool {
	return offset < c.offset || slices.ContainsFunc(c.above, func(s Span) bool { return s.First <= offset && offset <= s.Last })
}

// record is one record of an outbox.
type record struct {
	Happening
	item   *item
	flying map[int]int // attempts that have no answer, by whom
	repeat bool        // there was one with this id before, or its input was committed further on
	bare   bool        // the marks that would tell a repeat of it are gone
	moved  bool        // it stands in another channel's outbox
}

// item is one delivery, or one replay of a dead letter.
type item struct {
	id        string
	entry     string // the dead letter that this is a replay of
	version   int64
	records   int
	promised  bool
	stray     bool  // an attempt outlived its assignment, and the partition came back to who made it
	scattered bool  // its records are in several partitions, whose readers do not know of each other
	raised    bool  // a rule has sent it to this channel
	came      bool  // it was moved to it
	movedTo   *item // the delivery to another channel that has taken its place
	lost      bool  // with a topic that somebody deleted
	delivered int
	whole     bool // delivered to all that were left
	partly    bool // and once to some only
	unclear   int
	permits   int              // how often it may be delivered again
	answers   map[int][]Result // by whom
	witness   map[int]int      // who has tried it, and how many others it had delivered then
	policy    Policy
	queued    Happening
	by        int // who delivered it last, and whether it was the owner then
	byOwner   bool
	when      int
}

// letter is one dead letter.
type letter struct {
	topic   string
	last    int64 // the offset of its last record
	written []version
	open    bool
	from    Place
	item    *item // that it is of
	byOwner bool  // who wrote it owned the delivery then: else it may be superfluous
	when    int
}

// version is one record of a dead letter: its offset, and which happening it was.
type version struct {
	offset int64
	when   int
}

// Violation is a promise that was broken, and by which happening.
type Violation struct {
	Index   int // in the history; its length: at the end
	Promise string
	Text    string
}

func (v Violation) String() string { return fmt.Sprintf("#%d %s: %s", v.Index, v.Promise, v.Text) }

// New returns a judge.
func New(l Limits) *Judge {
	return &Judge{
		limits: l, events: make(map[Place]string), work: make(map[owned]map[int64]Happening), records: make(map[partition][]*record),
		items: make(map[string]*item), letters: make(map[string]*letter), requests: make(map[Place]*Happening), sent: make(map[string][]Happening),
		owners: make(map[member]int), claims: make(map[member][]claim), commits: make(map[member]commit), cuts: make(map[member]int64), high: make(map[member]int64),
		touched: make(map[owned]map[int64]bool), delivered: make(map[sender]tally), stale: make(map[owned]int), since: make(map[owned]int), newest: make(map[writing]int64), regained: make(map[owned]bool),
	}
}

// Check judges a whole history, at whose end everything was well for long
// enough: nothing may be left over.
func Check(history []Happening, l Limits) []Violation {
	j := New(l)
	for _, h := range history {
		j.Add(h)
	}
	return j.End()
}

// Violations returns what was found up to now.
func (j *Judge) Violations() []Violation { return j.faults }

func (j *Judge) fault(promise, format string, args ...any) {
	j.faults = append(j.faults, Violation{j.n, promise, fmt.Sprintf(format, args...)})
}

// Add judges the next happening.
func (j *Judge) Add(h Happening) {
	switch h.Kind {
	case Produced:
		j.events[h.Place] = h.Digest
	case Matched:
		o := owned{h.By, h.Place.partition()}
		if j.work[o] == nil {
			j.work[o] = make(map[int64]Happening)
		}
		j.work[o][h.Place.Offset] = h
	case Queued:
		j.queued(h)
	case Entered:
		j.entered(h)
	case Closed:
		j.closed(h)
	case Requested:
		j.requests[h.Place] = &h
	case Assigned:
		m := member{h.Group, h.Place.partition()}
		j.owners[m] = h.By
		delete(j.claims, m)
		j.assigned(owned{h.By, m.partition})
	case Left:
		j.left(h)
	case Started:
		j.started(h)
	case Answered:
		j.answered(h)
	case Claimed:
		j.claimed(h)
	case Committed:
		j.committed(h)
	case Cut:
		j.cut(h)
	case Reset:
		j.reset(h)
	case Recreated:
		j.recreated(h)
	}
	j.n++
	j.last = h
}

func (j *Judge) assigned(o owned) {
	if j.since[o] == 0 {
		j.since[o] = j.n + 1
	} else {
		j.regained[o] = true
	}
	for _, r := range j.records[o.partition] {
		if r != nil && r.flying[o.by] > 0 {
			r.item.stray = true
		}
	}
}

func (j *Judge) queued(h Happening) {
	it := j.items[h.ID]
	if it == nil {
		it = &item{id: h.ID, entry: h.Entry, version: h.Version, policy: h.Policy, queued: h, witness: make(map[int]int), answers: make(map[int][]Result)}
		j.items[h.ID] = it
	}
	r := &record{Happening: h, item: it, flying: make(map[int]int), repeat: it.records > 0}
	for m, high := range j.high {
		if m.partition == h.From.partition() && h.From.Offset < high {
			r.repeat = true
		}
	}
	if it.records > 0 && !j.recognised(it, h) {
		it.permits++
		it.scattered = true
	}
	j.moved(it, h)
	if !r.repeat {
		j.written(h)
	}
	it.records++
	j.replayed(h)
	p := h.Place.partition()
	for int64(len(j.records[p])) < h.Place.Offset { // compaction and transactions leave gaps
		j.records[p] = append(j.records[p], nil)
	}
	j.records[p] = append(j.records[p], r)
}

// written: what a process makes of an input comes into a lane in that order. One
// that has the input for the second time may have been late with the first.
func (j *Judge) written(h Happening) {
	w := writing{owned{h.By, h.From.partition()}, h.Place.partition(), h.Lane}
	if h.Lane == "" || h.Entry != "" || j.regained[w.input] {
		return
	}
	if last, ok := j.newest[w]; ok && h.From.Offset < last {
		j.fault("order", "%s at %s is made of %s, and stands behind what was made of offset %d", h.ID, h.Place, h.From, last)
	}
	j.newest[w] = max(j.newest[w], h.From.Offset)
}

// moved: an alert that waits is delivered by the channel that it is moved to
// instead, in the order of its lane. What its own channel could not know for a
// repeat comes more than once.
func (j *Judge) moved(it *item, h Happening) {
	src := j.at(h.From.partition(), h.From.Offset)
	it.raised, it.came = it.raised || src == nil, it.came || src != nil
	if src == nil {
		return
	}
	if src.item.movedTo == it && src.item.permits > 0 {
		it.permits++
	}
	if other := src.item.movedTo; other != nil && other != it {
		j.fault("moves", "%s at %s is moved to %s, and was to %s before", src.item.id, h.From, h.Place, other.id)
	}
	if src.item.delivered > src.item.permits+src.item.unclear && !src.item.partly {
		j.fault("moves", "%s at %s is moved to %s, although it was delivered", src.item.id, h.From, h.Place)
	}
	if src.moved {
		return
	}
	j.inTurn(src, h, "moved to "+h.Place.Topic)
	src.moved = true
	if it == src.item { // a dead letter that is sent again stays its entry's
		return
	}
	// What had its outcome, and is read again since a person set the offset back, is
	// known for a repeat there.
	it.promised = it.promised || src.item.promised && !j.ended(src.item, h)
	src.item.movedTo = it
}

// inTurn: of its lane, all before it must have their outcomes.
func (j *Judge) inTurn(r *record, h Happening, what string) {
	if r.Lane == "" {
		return
	}
	for _, before := range j.records[r.Place.partition()][:r.Place.Offset] {
		if before == nil || before.Lane != r.Lane || before.item == r.item || before.repeat || before.moved || j.ended(before.item, h) {
			continue
		}
		j.fault("order", "%s at %s is %s before %s at %s of the same lane has its outcome", r.item.id, r.Place, what, before.item.id, before.Place)
	}
}

// replayed: a replay is of what was the last version of its entry when whoever
// sends it took over, or later.
func (j *Judge) replayed(h Happening) {
	l := j.letters[h.Entry]
	if h.Entry == "" || l == nil || j.requests[h.From] == nil {
		return
	}
	for _, v := range l.written {
		if v.offset > h.Version && v.when < j.since[owned{h.By, h.From.partition()}] {
			j.fault("replays", "%d sends version %d of %s again, which had a later one when it took over", h.By, h.Version, h.Entry)
			return
		}
	}
}

// recognised reports whether the reader of a partition can know that it had a
// delivery before: from the same input, since it has marks of each.
func (j *Judge) recognised(it *item, h Happening) bool {
	return slices.ContainsFunc(j.records[h.Place.partition()], func(r *record) bool {
		return r != nil && r.item == it && !r.bare && r.From.partition() == h.From.partition()
	})
}

// ended reports whether nothing more is owed for a delivery.
func (j *Judge) ended(it *item, now Happening) bool {
	if it.lost || it.movedTo != nil {
		return true
	}
	if it.entry != "" { // a replay ends when its entry has a later record
		l := j.letters[it.entry]
		if l == nil || l.last > it.version {
			return true
		}
		return it.entry != it.base() && (it.whole || j.letters[it.base()] != nil)
	}
	if it.whole || j.letters[it.id] != nil {
		return true
	}
	return j.suppressed(it, now)
}

// base is the delivery that a replay is of.
func (it *item) base() string {
	for i := range it.id {
		if it.id[i] == '@' {
			return it.id[:i]
		}
	}
	return it.id
}

// suppressed reports whether policy allows that it was never sent: it was too
// old by now, or another of its key was sent while it waited or shortly before.
func (j *Judge) suppressed(it *item, now Happening) bool {
	p := it.policy
	if p.Expire > 0 && now.At-p.Event > p.Expire {
		return true
	}
	if p.Throttle == 0 {
		return false
	}
	return slices.ContainsFunc(j.sent[it.queued.Place.Topic+" "+p.Key], func(h Happening) bool {
		return h.ID != it.id && h.At+p.Throttle > it.queued.At
	})
}

// left: what the owner had sent, or was sending, of which no commit says so,
// may be sent once more. That is bounded.
func (j *Judge) left(h Happening) {
	o := owned{h.By, h.Place.partition()}
	c := j.commits[member{h.Group, o.partition}]
	settled := 0
	for _, offset := range slices.Sorted(maps.Keys(j.touched[o])) {
		if c.covers(offset) {
			continue
		}
		r := j.at(o.partition, offset)
		if r == nil {
			continue
		}
		r.item.permits++
		if !j.touched[o][offset] {
			settled++
		}
	}
	delete(j.touched, o)
	j.stale[o] = settled
	if settled > j.limits.Uncommitted {
		j.fault("bounded repeats", "%d deliveries of %s were settled by %d and not committed when it ended; %d are allowed",
			settled, o.partition, h.By, j.limits.Uncommitted)
	}
	m := member{h.Group, o.partition}
	if j.owners[m] == h.By {
		delete(j.owners, m)
	}
}

func (j *Judge) at(p partition, offset int64) *record {
	if rs := j.records[p]; offset >= 0 && offset < int64(len(rs)) {
		return rs[offset]
	}
	return nil
}

// touch notes that the owner works on a record; flying: it has no outcome yet.
func (j *Judge) touch(h Happening, flying bool) {
	o := owned{h.By, h.Place.partition()}
	if j.owners[member{h.Group, o.partition}] != h.By {
		j.late(o, h, flying)
		return
	}
	if j.touched[o] == nil {
		j.touched[o] = make(map[int64]bool)
	}
	j.touched[o][h.Place.Offset] = flying
}

// late: a former owner that does not know it yet, or was sending when it lost
// the partition, makes repeats, no more of them than a crash.
func (j *Judge) late(o owned, h Happening, flying bool) {
	r := j.at(o.partition, h.Place.Offset)
	if flying {
		r.item.permits++
		return
	}
	j.stale[o]++
	if j.stale[o] > j.limits.Uncommitted && o.by != 0 {
		j.fault("bounded repeats", "%d, which does not own %s any more, has settled %d deliveries since its last commit; %d are allowed",
			o.by, o.partition, j.stale[o], j.limits.Uncommitted)
	}
}

// started: in its lane, all before it must have their outcomes.
func (j *Judge) started(h Happening) {
	r := j.at(h.Place.partition(), h.Place.Offset)
	if r == nil || r.item.id != h.ID {
		j.fault("ids", "%d sends %s, which does not stand at %s", h.By, h.ID, h.Place)
		return
	}
	r.flying[h.By]++
	j.touch(h, true)
	if _, tried := r.item.witness[h.By]; !tried {
		r.item.witness[h.By] = j.delivered[sender{h.By, h.Place.Topic}].until(h.At)
	}
	if it := r.item; it.delivered > it.permits+it.unclear && !it.partly {
		j.fault("repeats", "%s at %s was delivered %d times and is sent again; %d repeats were unavoidable", h.ID, h.Place, it.delivered, it.permits+it.unclear)
	}
	if r.moved && r.item.permits+r.item.unclear == 0 {
		j.fault("moves", "%s at %s is sent although it was moved to another channel", h.ID, h.Place)
	}
	j.inTurn(r, h, "sent")
}

func (j *Judge) answered(h Happening) {
	r := j.at(h.Place.partition(), h.Place.Offset)
	if r == nil {
		return
	}
	r.flying[h.By]--
	it := r.item
	it.answers[h.By] = append(it.answers[h.By], h.Result)
	switch h.Result {
	case Unclear:
		it.unclear++
	case Delivered, Partly:
		it.delivered++
		it.partly = it.partly || h.Result == Partly
		it.whole = it.whole || h.Result == Delivered
		it.by, it.when = h.By, j.n
		it.byOwner = j.owners[member{h.Group, h.Place.partition()}] == h.By
		s := sender{h.By, h.Place.Topic}
		j.delivered[s] = j.delivered[s].one(h.At)
		if it.policy.Key != "" && it.entry == "" {
			k := h.Place.Topic + " " + it.policy.Key
			j.sent[k] = append(j.sent[k], h)
		}
		if extra := it.delivered - 1; extra > it.permits+it.unclear && !it.partly {
			j.fault("repeats", "%s was delivered %d times; %d repeats were unavoidable", h.ID, it.delivered, it.permits+it.unclear)
		}
		if h.Result == Delivered && !it.stray { // else some recipients are left, and it is under way
			j.touch(h, false)
		}
	}
}

func (j *Judge) entered(h Happening) {
	if digest, known := j.events[h.From]; !known || digest != h.Digest {
		j.fault("dead letters", "%s at %s is not, byte for byte, the record at %s", h.ID, h.Place, h.From)
	}
	l := j.letters[h.ID]
	if l == nil {
		l = &letter{from: h.From, topic: h.Place.Topic}
		j.letters[h.ID] = l
	}
	if l.from != h.From {
		j.fault("dead letters", "id %s denotes the records at %s and at %s", h.ID, l.from, h.From)
	}
	l.last, l.open, l.when, l.byOwner = h.Place.Offset, true, j.n, true
	l.written = append(l.written, version{h.Place.Offset, j.n})
	if h.Result == Unmatched {
		return
	}
	// of which delivery, or of which replay of it
	it := j.items[h.ID]
	if h.Version > 0 {
		it = j.items[fmt.Sprintf("%s@%d", h.ID, h.Version-1)]
	}
	if it == nil {
		j.fault("dead letters", "%s at %s is of no delivery", h.ID, h.Place)
		return
	}
	l.item, l.byOwner = it, j.owners[member{h.Group, it.queued.Place.partition()}] == h.By
	why := ""
	switch {
	case h.Result == Exhausted && j.delivered[sender{h.By, it.queued.Place.Topic}].n <= it.witness[h.By]:
		why = "nothing else was delivered meanwhile"
	case h.Result == Unconfirmed && it.unclear == 0:
		why = "no answer was unclear"
	case h.Result == Refused && !slices.Contains(it.answers[h.By], Refused) && !it.partly:
		why = fmt.Sprintf("nobody refused it: the answers were %v", it.answers[h.By])
	case it.delivered > it.permits+it.unclear && !it.partly && h.Result != Unconfirmed:
		why = "it was delivered"
	}
	if why != "" {
		j.fault("dead letters", "%s at %s as %s, although %s", h.ID, h.Place, h.Result, why)
	}
}

// claimed: one owner never asks for less than it has asked for before, and
// what it asks for is done when it does, whether that takes effect or not. Of a
// former owner only the first is held: what it asks for cannot take effect, and
// may be from before a person's reset.
func (j *Judge) claimed(h Happening) {
	m := member{h.Group, h.Place.partition()}
	for _, c := range j.claims[m] {
		if cut, told := j.cuts[m]; c.by == h.By && c.offset > h.Place.Offset && !c.cut && (!told || h.Place.Offset < cut) {
			j.fault("commits", "%d asks to commit %s after %d", h.By, h.Place, c.offset)
			break
		}
	}
	j.claims[m] = append(j.claims[m], claim{by: h.By, offset: h.Place.Offset, above: h.Above, when: j.n})
	if j.owners[m] == h.By {
		j.finished(h, j.commits[m])
	}
}

// askedFor returns when a commit that takes effect was asked for, the first
// time and the last; -1: it is not known.
func (j *Judge) askedFor(m member, h Happening) (first, last int) {
	first, last = -1, -1
	for _, c := range j.claims[m] {
		if c.by != h.By || c.offset != h.Place.Offset || !slices.Equal(c.above, h.Above) {
			continue
		}
		if last = c.when; first < 0 {
			first = c.when
		}
	}
	return first, last
}

// closed: we close what was delivered, or sent through the rules again.
func (j *Judge) closed(h Happening) {
	l := j.letters[h.ID]
	if l == nil {
		return
	}
	if l.item != nil && h.By != 0 && !j.anyDelivered(h.ID) {
		j.fault("dead letters", "%d closes %s at %s, which was not delivered", h.By, h.ID, h.Place)
	}
	l.last, l.open, l.when = h.Place.Offset, false, j.n
	l.written = append(l.written, version{h.Place.Offset, j.n})
}

// anyDelivered reports whether a delivery, or a replay of it, may have reached
// somebody.
func (j *Judge) anyDelivered(id string) bool {
	for _, it := range j.items {
		if it.base() == id && it.delivered+it.unclear > 0 {
			return true
		}
	}
	return false
}

func (j *Judge) committed(h Happening) {
	m := member{h.Group, h.Place.partition()}
	if by := j.owners[m]; by != h.By {
		j.fault("ownership", "%d commits %s, which %d owns", h.By, h.Place, by)
	}
	old, known := j.commits[m]
	first, last := j.askedFor(m, h)
	late := first >= 0 && first < old.when
	c := commit{h.Place.Offset, h.Above, last}
	if cut, told := j.cuts[m]; known && c.offset < old.offset && !late && (!told || c.offset < cut) {
		j.fault("commits", "%d commits %s after %d", h.By, h.Place, old.offset)
	}
	if late {
		j.overtaken(m, old, c)
	} else if cut, told := j.cuts[m]; told && c.offset <= cut { // until then what was read before is still committed
		delete(j.cuts, m)
		j.forgetClaims(m)
	}
	j.commits[m] = c
	j.finished(h, old)
	if j.records[m.partition] != nil {
		j.untouched(h, c)
	} else {
		j.promise(h, old, m)
	}
	if h.Bare {
		o := owned{h.By, m.partition}
		for offset, flying := range j.touched[o] {
			if r := j.at(m.partition, offset); !flying && r != nil {
				r.item.permits++
				delete(j.touched[o], offset)
			}
		}
		for _, r := range j.records[m.partition] {
			if r == nil {
				continue
			}
			r.bare = true
			if forgotten := old.covers(r.Place.Offset) && !c.covers(r.Place.Offset); forgotten || r.repeat && r.Place.Offset >= h.Place.Offset {
				r.item.permits++
			}
		}
	}
	j.high[m] = max(j.high[m], h.Place.Offset)
}

// overtaken: a commit that the brokers carry out behind a later one of the same
// owner undoes that one. What only the later one said is not known any more.
func (j *Judge) overtaken(m member, old, c commit) {
	for _, r := range j.records[m.partition] {
		if r != nil && old.covers(r.Place.Offset) && !c.covers(r.Place.Offset) {
			r.item.permits++
		}
	}
}

// cut: what stood above is gone, as far as the owner can know; where it stands
// there still, it comes again.
func (j *Judge) cut(h Happening) {
	m := member{h.Group, h.Place.partition()}
	if at, told := j.cuts[m]; !told || h.Place.Offset < at {
		j.cuts[m] = h.Place.Offset
	}
	j.forgetClaims(m)
	for _, r := range j.records[m.partition] {
		if r != nil && r.Place.Offset >= h.Place.Offset {
			r.item.permits++
		}
	}
}

// forgetClaims: what was asked for before a log was cut off is no measure.
func (j *Judge) forgetClaims(m member) {
	for i := range j.claims[m] {
		j.claims[m][i].cut = true
	}
}

// finished: what a commit says is finished must be.
func (j *Judge) finished(h Happening, old commit) {
	m := member{h.Group, h.Place.partition()}
	if rs := j.records[m.partition]; rs != nil {
		j.outboxFinished(h, old, rs)
	} else {
		j.inputFinished(h, old, m)
	}
}

func (j *Judge) outboxFinished(h Happening, old commit, rs []*record) {
	c := commit{offset: h.Place.Offset, above: h.Above}
	for offset, r := range rs {
		if r == nil || !c.covers(int64(offset)) || old.covers(int64(offset)) || r.repeat || r.moved || j.ended(r.item, h) {
			continue
		}
		j.fault("commits", "%d commits %s, past %s at %d, which is not finished", h.By, h.Place, r.item.id, offset)
	}
}

// untouched: what a commit covers is not repeated by the next owner.
func (j *Judge) untouched(h Happening, c commit) {
	touched := j.touched[owned{h.By, h.Place.partition()}]
	for offset := range touched {
		if c.covers(offset) {
			delete(touched, offset)
		}
	}
}

// inputFinished: everything that the records below a commit have raised is in
// outboxes or among the dead letters.
func (j *Judge) inputFinished(h Happening, old commit, m member) {
	for offset := old.offset; offset < h.Place.Offset; offset++ {
		at := h.Place
		at.Offset = offset
		if q := j.requests[at]; q != nil {
			if l := j.letters[q.Entry]; l != nil && l.last == q.Version && l.open {
				j.fault("replays", "%d commits %s, past the request at %d for version %d of %s, which nothing came of", h.By, h.Place, offset, q.Version, q.Entry)
			}
			continue
		}
		if _, there := j.events[at]; !there {
			continue
		}
		w, done := j.work[owned{h.By, m.partition}][offset]
		if !done {
			j.fault("commits", "%d commits %s, past the event at %d, which it has not worked through", h.By, h.Place, offset)
			continue
		}
		if w.Entry != "" && j.letters[w.Entry] == nil {
			j.fault("commits", "%d commits %s, past the event at %d, whose dead letter was not written", h.By, h.Place, offset)
		}
		for _, id := range w.IDs {
			if j.items[id] == nil && j.letters[id] == nil {
				j.fault("commits", "%d commits %s, past the event at %d, whose alert %s is in no outbox", h.By, h.Place, offset, id)
			}
		}
	}
}

// promise: once it is committed, what an event has raised is promised.
func (j *Judge) promise(h Happening, old commit, m member) {
	for offset := max(old.offset, j.high[m]); offset < h.Place.Offset; offset++ {
		for _, id := range j.work[owned{h.By, m.partition}][offset].IDs {
			if it := j.items[id]; it != nil {
				it.promised = true
			}
		}
	}
}

// reset: what stands above the new offset may come again. Of a source the
// repeat filter drops it; an outbox's marks are gone with the commit.
func (j *Judge) reset(h Happening) {
	m := member{h.Group, h.Place.partition()}
	j.commits[m] = commit{offset: h.Place.Offset}
	for _, r := range j.records[m.partition] {
		if r == nil {
			continue
		}
		r.bare = true
		if r.Place.Offset >= h.Place.Offset {
			r.item.permits++
		}
	}
}

// recreated: what stood in the topic and was not sent is gone, and so are the
// marks of those who read it: what is written again is sent again. A dead
// letter that is gone is as one that was closed.
func (j *Judge) recreated(h Happening) {
	for p, rs := range j.records {
		if p.topic != h.Place.Topic || p.instance >= h.Place.Instance {
			continue
		}
		for _, r := range rs {
			if r != nil {
				r.item.lost = true
				r.item.permits++
			}
		}
	}
	for _, l := range j.letters {
		if l.topic == h.Place.Topic {
			l.last++ // no record has this offset: one that follows has a higher one
			l.open = false
		}
	}
}

// End judges what is left over and returns all violations.
func (j *Judge) End() []Violation {
	for _, id := range slices.Sorted(maps.Keys(j.items)) {
		it := j.items[id]
		if it.promised && !j.ended(it, j.last) {
			j.fault("nothing lost", "%s was raised and committed, and nothing came of it", id)
		}
		if l := j.letters[it.base()]; l != nil && l.open && it.entry == "" && it.delivered > 0 && !it.partly && it.byOwner && l.byOwner && l.item == it && it.when > l.when && it.unclear == 0 && !it.scattered && !it.stray && !it.lost && !(it.raised && it.came) {
			j.fault("dead letters", "%s stays open although it was delivered after it was written", id)
		}
	}
	for _, p := range slices.SortedFunc(maps.Keys(j.records), func(a, b partition) int { return cmpPartition(a, b) }) {
		for _, r := range j.records[p] {
			if r != nil && !r.repeat && !r.moved && !j.ended(r.item, j.last) {
				j.fault("progress", "%s at %s has no outcome although all is well", r.item.id, r.Place)
			}
		}
	}
	return j.faults
}

func cmpPartition(a, b partition) int {
	return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.instance, b.instance), cmp.Compare(a.id, b.id))
}

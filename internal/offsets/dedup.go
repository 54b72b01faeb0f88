package offsets

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Position is a place in a partition's log. Positions are ordered by leader
// epoch before offset, so that what an unclean leader election rewrote is not
// taken for what was there before (KIP-101). An Epoch below zero is unknown;
// then the offsets alone decide.
type Position struct {
	Epoch  int32
	Offset int64
}

// Before reports whether p lies below q.
func (p Position) Before(q Position) bool {
	if p.Epoch >= 0 && q.Epoch >= 0 && p.Epoch != q.Epoch {
		return p.Epoch < q.Epoch
	}
	return p.Offset < q.Offset
}

// String returns epoch/offset.
func (p Position) String() string { return string(p.Append(nil)) }

// Append appends what String returns.
func (p Position) Append(b []byte) []byte {
	return strconv.AppendInt(append(strconv.AppendInt(b, int64(p.Epoch), 10), '/'), p.Offset, 10)
}

// ParsePosition reads what Position.String writes.
func ParsePosition(s string) (Position, error) {
	epoch, offset, ok := strings.Cut(s, "/")
	e, err1 := strconv.ParseInt(epoch, 10, 32)
	o, err2 := strconv.ParseInt(offset, 10, 64)
	if !ok || err1 != nil || err2 != nil {
		return Position{}, fmt.Errorf("position %q is not epoch/offset", s)
	}
	return Position{Epoch: int32(e), Offset: o}, nil
}

// Input is one partition that a writer reads: of a source topic, of an outbox.
// Topic is the topic's id in text; without an id nothing is ever dropped. Begin is
// where a person had it begin to be read, or 0: what lies from there on and below
// Done was handled without a break, and what lies before it may have been passed
// over.
type Input struct {
	Topic     string
	Partition int32
	Begin     int64
}

// NewInput returns a partition of a topic. at is when a person had its events
// evaluated again, as Unix time; 0: never. It makes the partition another input, of
// which nothing is known yet.
func NewInput(topicID string, partition int32, begin, at int64) Input {
	if topicID != "" {
		topicID = again(topicID, at)
	}
	return Input{Topic: topicID, Partition: partition, Begin: begin}
}

// Again is when a person had the events of the input evaluated again: alerts of records
// from before may have been sent. Zero: never.
func (i Input) Again() time.Time {
	_, text, is := strings.Cut(i.Topic, "~")
	if !is {
		return time.Time{}
	}
	at, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(at, 0)
}

// Origin says which record of which input an outbox record was made of.
type Origin struct {
	Input    Input
	From     Position // of the input's record
	Done     Position // below this its input was committed
	Delivery string   // the delivery's id
}

// Dedup recognises duplicate outbox records: it keeps, per input, the highest
// Done and the delivery ids at or above it. Inputs of one partition that begin
// elsewhere are kept apart until they meet. The zero value is ready to use; it is
// not safe for concurrent use.
type Dedup struct {
	inputs map[Input]*inputState
	parted map[Input]bool // partitions of which there are several inputs, with Begin 0
}

type inputState struct {
	done  Position
	ids   map[id]struct{}
	order []arrived // of the ids, in the order in which they came
}

// arrived is one id and the position of the input's record it was made of. One
// that lies below done leaves once it is the first.
type arrived struct {
	id   id
	from Position
}

// id stands for a delivery's id: 64 bits of its SHA-256, so that a commit can
// speak of many. Two deliveries of one outbox partition that are open at the
// same time would have to share them for one to be taken for the other: with a
// thousand open, once in 10^16.
type id uint64

func idOf(delivery string) id {
	sum := sha256.Sum256([]byte(delivery))
	return id(binary.BigEndian.Uint64(sum[:]))
}

// Seen adds a record, in the order of the log, and reports whether it is a
// duplicate of one that was added before.
func (d *Dedup) Seen(o Origin) (duplicate bool) {
	if o.Input.Topic == "" {
		return false
	}
	k := d.state(o.Input)
	id := idOf(o.Delivery)
	duplicate = d.knows(o, id, k)
	k.raise(o.Done)
	if d.parted != nil {
		d.join(o.Input)
		k = d.state(o.Input)
	}
	k.add(arrived{id, o.From})
	return duplicate
}

// knows reports whether a record's id was seen, or its position lies in a span
// that was handled; k is the state of its input.
func (d *Dedup) knows(o Origin, id id, k *inputState) bool {
	if _, known := k.ids[id]; known || !d.parted[o.Input.from(0)] {
		return known || o.From.Before(k.done)
	}
	for input, k := range d.inputs {
		_, known := k.ids[id]
		if input.from(0) == o.Input.from(0) && (known || o.From.Offset >= input.Begin && o.From.Before(k.done)) {
			return true
		}
	}
	return false
}

// from returns the input of the same partition that begins elsewhere.
func (i Input) from(begin int64) Input { return Input{i.Topic, i.Partition, begin} }

// join makes one of the inputs of a partition that meet.
func (d *Dedup) join(input Input) {
	whole := input.from(0)
	if !d.parted[whole] {
		return
	}
	var all []Input
	for i := range d.inputs {
		if i.from(0) == whole {
			all = append(all, i)
		}
	}
	slices.SortFunc(all, func(a, b Input) int { return cmp.Compare(a.Begin, b.Begin) })
	low := all[0]
	d.parted[whole] = false
	for _, i := range all[1:] {
		if i.Begin <= d.inputs[low].done.Offset {
			d.inputs[low].merge(d.inputs[i])
			delete(d.inputs, i)
		} else {
			low, d.parted[whole] = i, true
		}
	}
}

// Merge adds what other has seen. The order of merging does not matter.
func (d *Dedup) Merge(other *Dedup) {
	for input, theirs := range other.inputs {
		d.state(input).merge(theirs)
		d.join(input)
	}
}

func (k *inputState) merge(theirs *inputState) {
	k.raise(theirs.done)
	for _, a := range theirs.order {
		k.add(a)
	}
}

// take is Merge for a state that is not used afterwards.
func (d *Dedup) take(other *Dedup) {
	if len(d.inputs) == 0 {
		*d = *other
		return
	}
	d.Merge(other)
}

// Clone returns a copy that shares nothing.
func (d *Dedup) Clone() *Dedup {
	c := &Dedup{inputs: make(map[Input]*inputState, len(d.inputs)), parted: maps.Clone(d.parted)}
	for input, k := range d.inputs {
		c.inputs[input] = &inputState{done: k.done, ids: maps.Clone(k.ids), order: slices.Clone(k.order)}
	}
	return c
}

func (d *Dedup) state(input Input) *inputState {
	k := d.inputs[input]
	if k == nil {
		for other, reached := range d.inputs {
			if other.from(0) != input.from(0) {
				continue
			}
			if other.Begin <= input.Begin && input.Begin <= reached.done.Offset { // it had come so far
				return reached
			}
			if d.parted == nil {
				d.parted = make(map[Input]bool)
			}
			d.parted[input.from(0)] = true
		}
		if d.inputs == nil {
			d.inputs = make(map[Input]*inputState)
		}
		k = &inputState{done: Position{Epoch: -1}, ids: make(map[id]struct{})}
		d.inputs[input] = k
	}
	return k
}

// add keeps an id that may still be needed.
func (k *inputState) add(a arrived) {
	if _, known := k.ids[a.id]; known || a.from.Before(k.done) {
		return
	}
	k.ids[a.id] = struct{}{}
	k.order = append(k.order, a)
}

// raise moves done up and forgets the first ids as far as they are below it. A
// writer's ids come in the order of its input, so that few are left for later.
func (k *inputState) raise(done Position) {
	if !k.done.Before(done) {
		return
	}
	k.done = done
	n := 0
	for n < len(k.order) && k.order[n].from.Before(done) {
		delete(k.ids, k.order[n].id)
		n++
	}
	k.order = k.order[n:]
}

package dlq

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/envelope"
)

// raw is a record whose headers are not taken apart yet. It shares its batch's
// memory.
type raw struct {
	topic      string
	partition  int32
	epoch      int32
	offset     int64
	at         int64 // timestamp, unix milliseconds
	key, value []byte
	headers    []byte // as they stand in the batch, their number first
}

// records decodes what a fetch brought of one partition: kgo's own function
// costs 7 µs a record with twenty headers, most of it for their names and for
// the garbage, and a million dead letters are looked at while somebody waits.
// Batches of an old format or of transactions go to kgo all the same.
//
// The format is KIP-98's: org.apache.kafka.common.record.DefaultRecordBatch.
func records(topic string, p *kmsg.FetchResponseTopicPartition, from int64, unpack kgo.Decompressor) (list []raw, next int64, err error) {
	next = from
	some := &upTo{d: unpack, left: readUnpacked}
	for in := p.RecordBatches; len(in) >= batchHeader; {
		length := int64(int32(binary.BigEndian.Uint32(in[8:]))) + 12
		if length < batchHeader || length > int64(len(in)) {
			break // cut off by the size asked for
		}
		b := batch{in[:length]}
		if b.magic() != 2 || b.attributes()&(transactional|control) != 0 {
			return byClient(topic, p, from, unpack)
		}
		more, err := b.append(list, topic, p.Partition, from, some)
		if errors.Is(err, errEnough) {
			break
		}
		if err != nil {
			return nil, 0, err
		}
		list = more
		next = max(next, b.baseOffset()+int64(b.lastDelta())+1)
		in = in[length:]
	}
	return list, next, nil
}

// readUnpacked is how many bytes one read unpacks before it leaves the rest to the
// next: what a fetch brings can unpack to a thousand times as much.
const readUnpacked = 16 << 20

var errEnough = errors.New("enough is unpacked")

// upTo is a decompressor for one read. The first batch always passes.
type upTo struct {
	d    kgo.Decompressor
	left int
}

// Decompress implements kgo.Decompressor.
func (u *upTo) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	if u.left <= 0 {
		return nil, errEnough
	}
	out, err := u.d.Decompress(src, codec)
	u.left -= len(out)
	return out, err
}

func byClient(topic string, p *kmsg.FetchResponseTopicPartition, from int64, unpack kgo.Decompressor) ([]raw, int64, error) {
	fp, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		Offset: from, Topic: topic, Partition: p.Partition, IsolationLevel: kgo.ReadCommitted(),
	}, p, &upTo{d: unpack, left: readUnpacked}, nil)
	if errors.Is(fp.Err, errEnough) { // before it, nothing was kept
		fp.Err = nil
	}
	list := make([]raw, len(fp.Records))
	for i, r := range fp.Records {
		list[i] = rawOf(r)
	}
	return list, next, fp.Err
}

// rawOf takes a record's headers together again.
func rawOf(r *kgo.Record) raw {
	w := raw{topic: r.Topic, partition: r.Partition, epoch: r.LeaderEpoch, offset: r.Offset, at: r.Timestamp.UnixMilli(), key: r.Key, value: r.Value}
	field := func(b []byte, null bool) {
		if null {
			w.headers = binary.AppendVarint(w.headers, -1)
			return
		}
		w.headers = append(binary.AppendVarint(w.headers, int64(len(b))), b...)
	}
	w.headers = binary.AppendVarint(nil, int64(len(r.Headers)))
	for _, h := range r.Headers {
		field([]byte(h.Key), false)
		field(h.Value, h.Value == nil)
	}
	return w
}

// record takes the headers apart; scratch is used for them where it suffices.
func (w *raw) record(scratch []kgo.RecordHeader) (*kgo.Record, error) {
	r := &kgo.Record{
		Topic: w.topic, Partition: w.partition, LeaderEpoch: w.epoch, Offset: w.offset, Timestamp: time.UnixMilli(w.at),
		Key: w.key, Value: w.value, Headers: scratch[:0],
	}
	v := varints{b: w.headers}
	n := v.varint()
	if n < 0 || n > int64(len(v.b)) {
		return nil, errBatch
	}
	for range n {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: nameOf(v.bytes()), Value: v.bytes()})
	}
	if v.bad {
		return nil, errBatch
	}
	return r, nil
}

// batch is a record batch of format 2. Its header is 61 bytes.
type batch struct{ raw []byte }

const (
	batchHeader   = 61
	transactional = 1 << 4
	control       = 1 << 5
	appendTime    = 1 << 3 // timestamps are the broker's
	leastRecord   = 7      // bytes: length, attributes, time, offset, key, value, number of headers
)

func (b batch) baseOffset() int64 { return int64(binary.BigEndian.Uint64(b.raw)) }
func (b batch) epoch() int32      { return int32(binary.BigEndian.Uint32(b.raw[12:])) }
func (b batch) magic() byte       { return b.raw[16] }
func (b batch) crc() uint32       { return binary.BigEndian.Uint32(b.raw[17:]) }
func (b batch) attributes() int16 { return int16(binary.BigEndian.Uint16(b.raw[21:])) }
func (b batch) lastDelta() int32  { return int32(binary.BigEndian.Uint32(b.raw[23:])) }
func (b batch) baseTime() int64   { return int64(binary.BigEndian.Uint64(b.raw[27:])) }
func (b batch) maxTime() int64    { return int64(binary.BigEndian.Uint64(b.raw[35:])) }
func (b batch) count() int        { return int(int32(binary.BigEndian.Uint32(b.raw[57:]))) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errBatch = errors.New("a batch is damaged")

// append decodes the batch's records with an offset of at least from.
func (b batch) append(list []raw, topic string, partition int32, from int64, unpack kgo.Decompressor) ([]raw, error) {
	damaged := func(why error) error {
		return fmt.Errorf("%s/%d@%d: %w: %w", topic, partition, b.baseOffset(), errBatch, why)
	}
	if crc32.Checksum(b.raw[21:], castagnoli) != b.crc() {
		return nil, damaged(errors.New("its checksum is another"))
	}
	body := b.raw[batchHeader:]
	if codec := kgo.CompressionCodecType(b.attributes() & 7); codec != kgo.CodecNone {
		var err error
		if body, err = unpack.Decompress(body, codec); err != nil {
			return nil, damaged(err)
		}
	}
	n := b.count()
	if n < 0 || n > len(body)/leastRecord {
		return nil, damaged(errShort)
	}
	list = slices.Grow(list, n)
	all := varints{b: body}
	for range n {
		r := varints{b: all.bytes()} // a record begins with its length, like a field
		r.skip(1)                    // attributes
		at := b.baseTime() + r.varint()
		if b.attributes()&appendTime != 0 {
			at = b.maxTime()
		}
		w := raw{topic: topic, partition: partition, epoch: b.epoch(), offset: b.baseOffset() + r.varint(), at: at}
		w.key, w.value = r.bytes(), r.bytes()
		w.headers = r.b
		if r.bad || all.bad {
			return nil, damaged(errShort)
		}
		if w.offset >= from {
			list = append(list, w)
		}
	}
	return list, nil
}

var errShort = errors.New("it ends too early")

// nameOf returns a header's name without making a new string of one of ours.
func nameOf(b []byte) string {
	if name, ok := ourNames[string(b)]; ok {
		return name
	}
	return string(b)
}

var ourNames = func() map[string]string {
	m := make(map[string]string)
	for _, n := range append(envelope.HeaderNames(),
		hReason, hScope, hCause, hFingerprint, hDetail, hAttempts, hFirstFailed, hLastFailed, hRecipients, hReplays, hState, hPointer, hEditedBy, hRule) {
		m[n] = n
	}
	return m
}()

// varints reads the fields of a record, whose lengths are zigzag varints.
type varints struct {
	b   []byte
	bad bool
}

func (r *varints) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *varints) skip(n int) {
	if n < 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return
	}
	r.b = r.b[n:]
}

// bytes returns the next field; nil where its length is -1, which is null.
func (r *varints) bytes() []byte {
	n := r.varint()
	if n < 0 || r.bad {
		return nil
	}
	if n > int64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	field := r.b[:n:n]
	r.b = r.b[n:]
	return field
}

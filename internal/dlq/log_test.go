package dlq

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// counted counts what it unpacks.
type counted struct {
	kgo.Decompressor
	bytes int
}

// Decompress implements kgo.Decompressor.
func (c *counted) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	out, err := c.Decompressor.Decompress(src, codec)
	c.bytes += len(out)
	return out, err
}

// sealed returns a record batch around a body.
func sealed(attributes int16, count int32, body []byte) []byte {
	const header = 61
	b := make([]byte, header, header+len(body))
	binary.BigEndian.PutUint32(b[8:], uint32(header-12+len(body)))
	b[16] = 2
	binary.BigEndian.PutUint16(b[21:], uint16(attributes))
	binary.BigEndian.PutUint32(b[57:], uint32(count))
	b = append(b, body...)
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// A fetch of a few kilobytes that unpacks to 180 MiB is read in parts.
func TestReadUnpacksInParts(t *testing.T) {
	const batches, size = 30, 6 << 20
	value := make([]byte, size)
	record := []byte{0, 0, 0, 1} // attributes, time, offset, no key
	record = append(binary.AppendVarint(record, size), value...)
	record = append(record, 0) // headers
	body := append(binary.AppendVarint(nil, int64(len(record))), record...)
	gzip, err := kgo.DefaultCompressor(kgo.GzipCompression())
	if err != nil {
		t.Fatal(err)
	}
	packed, codec := gzip.Compress(new(bytes.Buffer), body)
	for kind, attributes := range map[string]int16{"plain": 0, "transactional": 1 << 4} {
		p := kmsg.NewFetchResponseTopicPartition()
		for i := range batches {
			b := sealed(int16(codec)|attributes, 1, packed)
			binary.BigEndian.PutUint64(b, uint64(i))
			p.RecordBatches = append(p.RecordBatches, b...)
		}
		reads, got := 0, int64(0)
		for next := int64(0); next < batches; reads++ {
			c := &counted{Decompressor: kgo.DefaultDecompressor()}
			list, to, err := decode("t", &p, next, c)
			if err != nil || to <= next || len(list) == 0 {
				t.Fatalf("%s: from %d to %d, %d records, %v", kind, next, to, len(list), err)
			}
			if c.bytes > readUnpacked+len(body) {
				t.Errorf("%s: a read unpacked %d bytes", kind, c.bytes)
			}
			for _, r := range list {
				if r.Offset != got || len(r.Value) != size {
					t.Fatalf("%s: offset %d with %d bytes, want %d", kind, r.Offset, len(r.Value), got)
				}
				got++
			}
			next = to
			for len(p.RecordBatches) > 0 && int64(binary.BigEndian.Uint64(p.RecordBatches)) < next { // as a broker answers
				p.RecordBatches = p.RecordBatches[12+binary.BigEndian.Uint32(p.RecordBatches[8:]):]
			}
		}
		if got != batches || reads != 10 {
			t.Errorf("%s: %d records in %d reads", kind, got, reads)
		}
	}
}

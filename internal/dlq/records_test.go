package dlq

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

// arbitraryBytes is null, empty, short or long.
func arbitraryBytes(t *rapid.T, what string) []byte {
	switch rapid.IntRange(0, 4).Draw(t, what) {
	case 0:
		return nil
	case 1:
		return []byte{}
	case 2:
		return bytes.Repeat([]byte{'a', 0xff}, rapid.IntRange(1, 50_000).Draw(t, what+" length"))
	}
	return rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, what+" bytes")
}

// TestBatchesDecodeAsAConsumerReadsThem holds our decoder against kgo's, for
// each compression.
func TestBatchesDecodeAsAConsumerReadsThem(t *testing.T) {
	for name, codec := range codecs {
		t.Run(name, func(t *testing.T) {
			c := testkafka.Start(t, nil)
			topic := string(topics.TradeExecutions) // a compacted one refuses records without a key
			cl := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(codec))
			log := NewLog(c.Client())
			at := int64(0)
			rapid.Check(t, func(t *rapid.T) {
				var sent []*kgo.Record
				for range rapid.IntRange(1, 8).Draw(t, "records") {
					r := &kgo.Record{Topic: topic, Key: arbitraryBytes(t, "key"), Value: arbitraryBytes(t, "value"), Timestamp: time.UnixMilli(rapid.Int64Range(0, 1<<40).Draw(t, "time"))}
					for range rapid.IntRange(0, 4).Draw(t, "headers") {
						r.Headers = append(r.Headers, kgo.RecordHeader{Key: rapid.SampledFrom([]string{"", "h", "\xff", hDetail}).Draw(t, "name"), Value: arbitraryBytes(t, "header")})
					}
					sent = append(sent, r)
				}
				if err := cl.ProduceSync(context.Background(), sent...).FirstErr(); err != nil {
					t.Fatal(err)
				}
				for i := 0; i < len(sent); {
					got, next, err := log.Read(context.Background(), topic, 0, at, readBytes)
					if err != nil || len(got) == 0 {
						t.Fatalf("%d records, %v", len(got), err)
					}
					for _, r := range got {
						if err := sameAs(r, sent[i]); err != nil || r.Offset != at+int64(i) && r.Offset < at {
							t.Fatalf("record %d at %d: %v", i, r.Offset, err)
						}
						i++
					}
					at = next
				}
			})
			consumed := consume(t, c, topic, at)
			var ours []*kgo.Record
			for next := int64(0); next < at; {
				some, n, err := log.Read(t.Context(), topic, 0, next, readBytes)
				if err != nil {
					t.Fatal(err)
				}
				ours, next = append(ours, some...), n
			}
			if len(ours) != len(consumed) {
				t.Fatalf("%d records, a consumer reads %d", len(ours), len(consumed))
			}
			for i := range ours {
				if err := sameAs(ours[i], consumed[i]); err != nil || ours[i].Offset != consumed[i].Offset || ours[i].LeaderEpoch != consumed[i].LeaderEpoch {
					t.Fatalf("record %d: %v", i, err)
				}
			}
		})
	}
}

func consume(t *testing.T, c *testkafka.Cluster, topic string, n int64) []*kgo.Record {
	t.Helper()
	cl := c.Client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var list []*kgo.Record
	for int64(len(list)) < n && ctx.Err() == nil {
		list = append(list, cl.PollFetches(ctx).Records()...)
	}
	return list
}

// sameAs says in what two records differ.
func sameAs(a, b *kgo.Record) error {
	differ := func(a, b []byte) bool { return !bytes.Equal(a, b) || (a == nil) != (b == nil) }
	switch {
	case differ(a.Key, b.Key):
		return fmt.Errorf("key %q, want %q", a.Key, b.Key)
	case differ(a.Value, b.Value):
		return fmt.Errorf("value %.40q, want %.40q", a.Value, b.Value)
	case a.Timestamp.UnixMilli() != b.Timestamp.UnixMilli():
		return fmt.Errorf("time %s, want %s", a.Timestamp, b.Timestamp)
	case len(a.Headers) != len(b.Headers):
		return fmt.Errorf("%d headers, want %d", len(a.Headers), len(b.Headers))
	}
	for i, h := range a.Headers {
		if h.Key != b.Headers[i].Key || differ(h.Value, b.Headers[i].Value) {
			return fmt.Errorf("header %d is another", i)
		}
	}
	return nil
}

// sealed returns a batch around a body whose checksum is right, so that
// garbage gets past it.
func sealed(attributes int16, count int32, body []byte) []byte {
	b := make([]byte, batchHeader, batchHeader+len(body))
	binary.BigEndian.PutUint32(b[8:], uint32(batchHeader-12+len(body)))
	b[16] = 2
	binary.BigEndian.PutUint16(b[21:], uint16(attributes))
	binary.BigEndian.PutUint32(b[57:], uint32(count))
	b = append(b, body...)
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
	return b
}

// FuzzRecords: garbage neither panics nor takes much more memory than it is
// long.
func FuzzRecords(f *testing.F) {
	f.Add(int16(0), int32(1), []byte("\x0c\x00\x00\x00\x01\x01\x00"))
	f.Add(int16(0), int32(1), []byte("\x18\x00\x00\x00\x02k\x02v\x02\x02h\x01"))
	f.Add(int16(0), int32(1<<30), bytes.Repeat([]byte{0}, 1000))
	f.Add(int16(0), int32(-1), []byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Add(int16(2), int32(1), []byte("\xff\xff\xff\xff\x0f snappy"))
	f.Add(int16(1), int32(1), []byte("gzip"))
	f.Fuzz(func(t *testing.T, attributes int16, count int32, body []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for _, in := range [][]byte{body, sealed(attributes, count, body)} {
			p := kmsg.NewFetchResponseTopicPartition()
			p.RecordBatches = in
			list, _, err := records("t", &p, 0, kgo.DefaultDecompressor())
			if err != nil {
				continue
			}
			for i := range list {
				if r, err := list[i].record(nil); err == nil {
					_ = Parse(r)
				}
			}
		}
		runtime.ReadMemStats(&after)
		// Uncompressed: a record of seven bytes takes some 150 in memory, and as
		// much again for its entry.
		if took := after.TotalAlloc - before.TotalAlloc; attributes&7 == 0 && took > uint64(1<<20+60*len(body)) {
			t.Errorf("%d bytes took %d", len(body), took)
		}
	})
}

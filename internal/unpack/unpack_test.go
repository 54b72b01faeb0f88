package unpack_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/unpack"
)

var codecs = []kgo.CompressionCodecType{kgo.CodecGzip, kgo.CodecSnappy, kgo.CodecLz4, kgo.CodecZstd}

func name(codec kgo.CompressionCodecType) string {
	return []string{"none", "gzip", "snappy", "lz4", "zstd"}[codec]
}

// record returns a record in the format of a batch.
func record(offset int, value []byte, headers int) []byte {
	body := []byte{0} // attributes
	body = binary.AppendVarint(body, 3)
	body = binary.AppendVarint(body, int64(offset))
	body = binary.AppendVarint(body, -1)
	body = append(binary.AppendVarint(body, int64(len(value))), value...)
	body = binary.AppendVarint(body, int64(headers))
	body = append(body, make([]byte, 2*headers)...)
	return append(binary.AppendVarint(nil, int64(len(body))), body...)
}

// events returns the body of a batch of events of about 350 bytes.
func events(size int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	var body []byte
	for i := 0; len(body) < size; i++ {
		body = append(body, record(i, fmt.Appendf(nil, `{"event_id":"01KAQ2C7VY3E8M5Z%010d","event_type":"order.accepted","schema":"trade-execution/1","occurred_at":"2026-11-23T09:30:00.%06dZ",`+
			`"session_id":"ses-%04d","account_id":"ACC-%d","strategy_id":"mean-rev-7","mode":"live","order_id":"ord-%d","symbol":"AAPL","venue":"XNAS","side":"buy","order_qty":"%d",`+
			`"notional":"%d.00","slippage_bps":%.2f,"reject_code":null,"reason":null}`, i, rng.IntN(1e6), rng.IntN(5000), i, i, rng.IntN(900), rng.IntN(90000), rng.Float64()*9), 0)...)
	}
	return body
}

func pack(tb testing.TB, body []byte, codec kgo.CompressionCodecType) []byte {
	tb.Helper()
	c, err := kgo.DefaultCompressor([]kgo.CompressionCodec{{}, kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}[codec])
	if err != nil {
		tb.Fatal(err)
	}
	out, used := c.Compress(new(bytes.Buffer), body)
	if used != codec {
		tb.Fatalf("packed with %d", used)
	}
	return slices.Clone(out)
}

// streamed compresses like a streaming producer, without a declared size.
func streamed(tb testing.TB, body []byte, codec kgo.CompressionCodecType) []byte {
	tb.Helper()
	var out bytes.Buffer
	var w interface {
		Write(p []byte) (int, error)
		Close() error
	}
	switch codec {
	case kgo.CodecGzip:
		w = gzip.NewWriter(&out)
	case kgo.CodecLz4:
		w = lz4.NewWriter(&out)
	case kgo.CodecZstd:
		w, _ = zstd.NewWriter(&out)
	case kgo.CodecSnappy: // as snappy-java frames it
		out.Write([]byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1})
		for part := range slices.Chunk(body, 32<<10) {
			block := s2.EncodeSnappy(nil, part)
			out.Write(binary.BigEndian.AppendUint32(nil, uint32(len(block))))
			out.Write(block)
		}
		return out.Bytes()
	}
	if _, err := w.Write(body); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

const mib = 1 << 20

func TestDecompressAgreesWithKgo(t *testing.T) {
	d := unpack.NewForTest(unpack.Limits{Batch: 64 * mib, Total: 128 * mib})
	for _, codec := range codecs {
		for _, size := range []int{0, 1, 100, 16 << 10, mib, 8 * mib, 10 * mib} {
			body := events(size)
			for how, src := range map[string][]byte{"whole": pack(t, body, codec), "streamed": streamed(t, body, codec)} {
				if len(src) == 16 && codec == kgo.CodecSnappy {
					continue // a frame without a block, an error in kgo
				}
				got, err := d.Decompress(src, codec)
				if err != nil || !bytes.Equal(got, body) {
					t.Errorf("%s of %d bytes, %s: %d bytes, %v", name(codec), len(body), how, len(got), err)
				}
				if got, err := d.Unlimited().Decompress(src, codec); err != nil || !bytes.Equal(got, body) {
					t.Errorf("Unlimited: %s of %d bytes, %s: %d bytes, %v", name(codec), len(body), how, len(got), err)
				}
			}
		}
	}
	if got, err := d.Decompress([]byte("as it is"), kgo.CodecNone); err != nil || string(got) != "as it is" {
		t.Errorf("without compression: %q, %v", got, err)
	}
	if _, err := d.Decompress(nil, 7); err == nil {
		t.Error("an unknown codec is accepted")
	}
}

// TestManySmallBlocksAreSizedByContent: a producer that flushes after every record
// makes a block of each.
func TestManySmallBlocksAreSizedByContent(t *testing.T) {
	d := unpack.NewForTest(unpack.Limits{Batch: 64 * mib, Total: 128 * mib})
	for _, size := range []int{50 << 10, 5 * mib, 12 * mib} {
		body := events(size)
		var src bytes.Buffer
		w, err := zstd.NewWriter(&src)
		if err != nil {
			t.Fatal(err)
		}
		for part := range slices.Chunk(body, size/150) { // more blocks of 128 KiB than a batch may have, or fewer
			if _, err := w.Write(part); err != nil {
				t.Fatal(err)
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := d.Decompress(src.Bytes(), kgo.CodecZstd)
		if err != nil || !bytes.Equal(got, body) || cap(got) > len(got)*9/8+1024 {
			t.Errorf("%d bytes: %d with room for %d, %v", len(body), len(got), cap(got), err)
		}
	}
}

func TestDamagedBatchIsAnError(t *testing.T) {
	d := unpack.NewForTest(unpack.Limits{Batch: 64 * mib, Total: 128 * mib})
	for _, codec := range codecs {
		for _, size := range []int{16 << 10, 12 * mib} {
			for how, src := range map[string][]byte{"whole": pack(t, events(size), codec), "streamed": streamed(t, events(size), codec)} {
				_, err := d.Decompress(src[:len(src)/2], codec)
				if err == nil || errors.Is(err, unpack.ErrNoRoom) || errors.Is(err, kgo.ErrMaxDecompress) {
					t.Errorf("half of %s of %d bytes, %s: %v", name(codec), size, how, err)
				}
			}
		}
	}
	runtime.GC()
	if n := d.Bytes(); n != 0 {
		t.Errorf("%d bytes are counted for damaged batches", n)
	}
}

func TestBatchBeyondLimitIsRejected(t *testing.T) {
	d := unpack.NewForTest(unpack.Limits{Batch: 16 * mib, Total: 128 * mib})
	large := make([]byte, 200*mib)
	for _, codec := range codecs {
		for how, f := range map[string]func(testing.TB, []byte, kgo.CompressionCodecType) []byte{"whole": pack, "streamed": streamed} {
			src := f(t, large, codec)
			before := allocated()
			_, err := d.Decompress(src, codec)
			if !errors.Is(err, kgo.ErrMaxDecompress) {
				t.Errorf("%s, %s: %v", name(codec), how, err)
			}
			if n := allocated() - before; n > 100*mib {
				t.Errorf("%s, %s: %d MiB allocated for a batch that is too large", name(codec), how, n/mib)
			}
		}
	}
	many := bytes.Repeat(record(0, nil, 0), 200_000) // of 8 bytes
	if _, err := d.Decompress(pack(t, many, kgo.CodecZstd), kgo.CodecZstd); !errors.Is(err, kgo.ErrMaxDecompress) {
		t.Errorf("200,000 records of 8 bytes, which take 40 MB: %v", err)
	}
	named := record(0, nil, 400_000)
	if _, err := d.Decompress(pack(t, named, kgo.CodecGzip), kgo.CodecGzip); !errors.Is(err, kgo.ErrMaxDecompress) {
		t.Errorf("400,000 headers of 2 bytes, which take 22 MB: %v", err)
	}
	big := bytes.Repeat(record(0, nil, 0), 1_200_000) // larger than a pooled buffer
	if _, err := d.Decompress(pack(t, big, kgo.CodecLz4), kgo.CodecLz4); !errors.Is(err, kgo.ErrMaxDecompress) {
		t.Errorf("1,200,000 records of 8 bytes: %v", err)
	}
	runtime.GC()
	if n := d.Bytes(); n != 0 {
		t.Errorf("%d bytes are counted for rejected batches", n)
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func TestBatchCountsUntilCollected(t *testing.T) {
	d := unpack.NewForTest(unpack.Limits{Batch: 16 * mib, Total: 40 * mib})
	body := record(0, make([]byte, 10*mib), 0)
	src := pack(t, body, kgo.CodecZstd)
	var kept [][]byte
	for i := range 4 { // three below the total, and one beyond
		out, err := d.Decompress(src, kgo.CodecZstd)
		if err != nil {
			t.Fatalf("batch %d: %v", i, err)
		}
		kept = append(kept, out[len(out)-100:]) // a part keeps the whole in memory
	}
	if _, err := d.Decompress(src, kgo.CodecZstd); !errors.Is(err, unpack.ErrNoRoom) {
		t.Fatalf("the fifth: %v", err)
	}
	if out, err := d.Unlimited().Decompress(src, kgo.CodecZstd); err != nil || len(out) != len(body) {
		t.Errorf("Unlimited: %v", err)
	}
	if _, err := d.Decompress(pack(t, []byte("a small one"), kgo.CodecZstd), kgo.CodecZstd); !errors.Is(err, unpack.ErrNoRoom) {
		t.Errorf("a small one: %v", err)
	}
	runtime.KeepAlive(kept)
	kept = slices.Clone(kept[:1])
	runtime.GC()
	for i := range 3 {
		out, err := d.Decompress(src, kgo.CodecZstd)
		if err != nil {
			t.Fatalf("batch %d after the others were collected: %v", i, err)
		}
		kept = append(kept, out)
	}
	runtime.KeepAlive(kept)
}

// TestGarbageIsCollectedWhenFull: the account starts a collection when it is full.
func TestGarbageIsCollectedWhenFull(t *testing.T) {
	d := unpack.NewForTest(unpack.Limits{Batch: 16 * mib, Total: 24 * mib})
	src := pack(t, record(0, make([]byte, 10*mib), 0), kgo.CodecLz4)
	for i := range 40 {
		_, err := d.Decompress(src, kgo.CodecLz4)
		if errors.Is(err, unpack.ErrNoRoom) { // a collection was a moment ago
			d.CollectAgain()
			_, err = d.Decompress(src, kgo.CodecLz4)
		}
		if err != nil {
			t.Fatalf("batch %d: %v", i, err)
		}
		if n := d.Bytes(); n > 36*mib {
			t.Fatalf("%d MiB are in memory", n/mib)
		}
	}
}

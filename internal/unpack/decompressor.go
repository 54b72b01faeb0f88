// Package unpack decompresses the batches that kgo clients fetch, within a memory
// limit for the whole process. kgo unpacks all batches of a fetch at once, so that
// some kilobytes on the wire can take gigabytes. Start reading at
// Decompressor.Decompress, then account.
package unpack

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrNoRoom is returned while there is no memory for a batch. kgo returns the records
// before it and fetches it again; if there are none, the poll returns the error.
var ErrNoRoom = errors.New("no memory for the batch at present")

var errTooLarge = fmt.Errorf("the unpacked batch is larger than kafka.window.bytes (%w)", kgo.ErrMaxDecompress)

// Limits bound the memory of unpacked batches with their records and headers, in
// bytes.
type Limits struct {
	Batch int64 // of one batch
	Total int64 // of all batches of the process
}

// Decompressor implements kgo.Decompressor. It is safe for concurrent use.
type Decompressor struct {
	limits  Limits
	account *account
	// Pools of zstd.Decoder by their output limit. They have channels, so they are not
	// shared by the process: see account.
	unlimited, batch, pooled *sync.Pool // no limit; Limits.Batch; maxPooled
}

// New returns a Decompressor. All Decompressors of the process share one account.
func New(l Limits) *Decompressor { return newDecompressor(l, &process) }

func newDecompressor(l Limits, a *account) *Decompressor {
	return &Decompressor{limits: l, account: a, unlimited: zstds(), batch: zstds(zstd.WithDecoderMaxMemory(uint64(l.Batch))), pooled: zstds(zstd.WithDecoderMaxMemory(maxPooled))}
}

// slots limits how many batches are unpacked at a time in this process, and with it
// the memory of decoders and buffers.
var slots = make(chan struct{}, 4)

// reserve reserves the memory of a batch.
type reserve func(cost int64) (reservation, error)

// Decompress implements kgo.Decompressor. It returns kgo.ErrMaxDecompress for a batch
// beyond Limits.Batch, ErrNoRoom, or an error of damaged data.
func (d *Decompressor) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	return d.decompress(src, codec, func(cost int64) (reservation, error) {
		r, ok := d.account.reserve(cost, d.limits.Total)
		if !ok {
			return reservation{}, ErrNoRoom
		}
		return r, nil
	})
}

// Unlimited returns a decompressor with the same account that does not return
// ErrNoRoom, for reading one batch at a time.
func (d *Decompressor) Unlimited() kgo.Decompressor { return unlimited{d} }

type unlimited struct{ *Decompressor }

// Decompress implements kgo.Decompressor.
func (d unlimited) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	return d.decompress(src, codec, func(cost int64) (reservation, error) { return d.account.charge(cost), nil })
}

func (d *Decompressor) decompress(src []byte, codec kgo.CompressionCodecType, account reserve) ([]byte, error) {
	reserve := func(cost int64) (reservation, error) {
		if cost > d.limits.Batch {
			return reservation{}, errTooLarge
		}
		return account(cost)
	}
	slots <- struct{}{}
	defer func() { <-slots }()
	switch codec {
	case kgo.CodecNone:
		return src, nil
	case kgo.CodecSnappy:
		return d.snappy(src, reserve)
	case kgo.CodecZstd:
		return d.unzstd(src, reserve)
	case kgo.CodecGzip, kgo.CodecLz4:
		return d.stream(src, codec, reserve)
	}
	return nil, fmt.Errorf("unknown compression codec %d", codec)
}

// fillExact unpacks a batch whose size is known, or its upper bound. The cost of its
// records is known only after unpacking.
func (d *Decompressor) fillExact(n int64, reserve reserve, fill func(out []byte) ([]byte, error)) ([]byte, error) {
	r, err := reserve(n)
	if err != nil {
		return nil, err
	}
	out, err := fill(make([]byte, n))
	cost := costOf(out)
	if err == nil && cost > d.limits.Batch {
		err = errTooLarge
	}
	if err != nil {
		r.release()
		return nil, err
	}
	if cap(out)-len(out) > len(out)/8 {
		out = slices.Clone(out)
	}
	r.commit(out, cost+int64(cap(out)-len(out))-n)
	return out, nil
}

// copyPooled copies a batch out of a pooled buffer.
func (d *Decompressor) copyPooled(buf []byte, reserve reserve) ([]byte, error) {
	r, err := reserve(costOf(buf))
	if err != nil {
		return nil, err
	}
	out := slices.Clone(buf)
	r.commit(out, 0)
	return out, nil
}

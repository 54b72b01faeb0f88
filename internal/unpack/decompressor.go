// Package unpack decompresses the batches that a kgo client fetches, within a
// bound of memory that all clients of the process share. kgo unpacks every batch
// of a fetch before the first record is polled, so that a few kilobytes on the
// wire can take gigabytes. Start reading at Decompressor.Decompress, then account.
package unpack

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrNoRoom is returned for a batch that there is no memory for at present. kgo
// then hands out the records before it and fetches it once more. Where there are
// none before it, the error comes out of the poll; the partition is to be left
// alone for a moment.
var ErrNoRoom = errors.New("no memory for the batch at present")

var errTooLarge = fmt.Errorf("the batch takes more memory unpacked than kafka.window.bytes (%w)", kgo.ErrMaxDecompress)

// Limits bound unpacked batches, in bytes. What counts is a batch's data, and
// what its records and headers take besides.
type Limits struct {
	Batch int64 // of one batch; a larger one is errTooLarge
	Total int64 // of all that are in memory, of all clients of the process
}

// Decompressor implements kgo.Decompressor. It is safe for concurrent use.
type Decompressor struct {
	limits  Limits
	account *account
	// Of zstd.Decoder, which unpack into what they are given and take no memory for
	// a window. They have channels, so they are not the process's: see account.
	wide   *sync.Pool // for what is known to fit: every window is taken, those of the levels from 20 on, too
	strict *sync.Pool // unpack no more than a batch may have
	little *sync.Pool // unpack no more than direct
}

// New returns a Decompressor. All of the process share one account.
func New(l Limits) *Decompressor { return newDecompressor(l, &process) }

func newDecompressor(l Limits, a *account) *Decompressor {
	return &Decompressor{limits: l, account: a, wide: zstds(), strict: zstds(zstd.WithDecoderMaxMemory(uint64(l.Batch))), little: zstds(zstd.WithDecoderMaxMemory(direct))}
}

// decoders is how many batches are unpacked at a time in this process. It bounds
// what the decoders and their buffers take to four times direct, and little more.
const decoders = 4

var slots = make(chan struct{}, decoders)

// take takes memory for a batch, or says why there is none.
type take func(cost int64) (lease, error)

// Decompress implements kgo.Decompressor. Its errors are kgo.ErrMaxDecompress,
// ErrNoRoom, or what is wrong with the data.
func (d *Decompressor) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	return d.decompress(src, codec, func(cost int64) (lease, error) {
		if cost > d.limits.Batch {
			return lease{}, errTooLarge
		}
		l, ok := d.account.take(cost, d.limits.Total)
		if !ok {
			return lease{}, ErrNoRoom
		}
		return l, nil
	})
}

// Unrefused returns a decompressor that counts in the same account and is never
// refused a batch for want of room. It is for reading one block after the other.
func (d *Decompressor) Unrefused() kgo.Decompressor { return unrefused{d} }

type unrefused struct{ *Decompressor }

// Decompress implements kgo.Decompressor.
func (d unrefused) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	return d.decompress(src, codec, func(cost int64) (lease, error) {
		if cost > d.limits.Batch {
			return lease{}, errTooLarge
		}
		return d.account.charge(cost), nil
	})
}

func (d *Decompressor) decompress(src []byte, codec kgo.CompressionCodecType, take take) ([]byte, error) {
	slots <- struct{}{}
	defer func() { <-slots }()
	switch codec {
	case kgo.CodecNone:
		return src, nil
	case kgo.CodecSnappy:
		return d.snappy(src, take)
	case kgo.CodecZstd:
		return d.unzstd(src, take)
	case kgo.CodecGzip, kgo.CodecLz4:
		return d.stream(src, codec, take)
	}
	return nil, fmt.Errorf("unknown compression codec %d", codec)
}

// exactly unpacks a batch of a size that is known, or nearly. What its records
// take is known only then.
func (d *Decompressor) exactly(n int64, take take, fill func(out []byte) ([]byte, error)) ([]byte, error) {
	l, err := take(n)
	if err != nil {
		return nil, err
	}
	out, err := fill(make([]byte, n))
	cost := costOf(out)
	if err == nil && cost > d.limits.Batch {
		err = errTooLarge
	}
	if err != nil {
		l.drop()
		return nil, err
	}
	if cap(out)-len(out) > len(out)/8 {
		out = slices.Clone(out)
	}
	l.keep(out, cost+int64(cap(out)-len(out))-n)
	return out, nil
}

// clone takes a batch out of memory that is used again.
func (d *Decompressor) clone(buf []byte, take take) ([]byte, error) {
	l, err := take(costOf(buf))
	if err != nil {
		return nil, err
	}
	out := slices.Clone(buf)
	l.keep(out, 0)
	return out, nil
}

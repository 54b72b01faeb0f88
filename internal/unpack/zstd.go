package unpack

import (
	"bytes"
	"errors"
	"math"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// maxBlock is the largest unpacked zstd block, in bytes (RFC 8878, 3.1.1.2.4).
const maxBlock = 128 << 10

// zstds returns a pool of decoders.
func zstds(opts ...zstd.DOption) *sync.Pool {
	return &sync.Pool{New: func() any {
		z, err := zstd.NewReader(nil, append(opts, zstd.WithDecoderLowmem(true), zstd.WithDecoderConcurrency(1))...)
		if err != nil {
			panic(err) // the options are valid
		}
		return z
	}}
}

// unzstdInto unpacks into out, or into new memory if out is too small.
func unzstdInto(pool *sync.Pool, out, src []byte) ([]byte, error) {
	z := pool.Get().(*zstd.Decoder)
	out, err := z.DecodeAll(src, out)
	_, _ = z.DecodeAll(nil, nil) // release the last output
	pool.Put(z)
	return out, err
}

// unzstd unpacks a frame into memory of its declared size. If it has none, as from
// Java's producer, unzstd tries a pooled buffer, then the upper bound of the blocks.
func (d *Decompressor) unzstd(src []byte, reserve reserve) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(src); err != nil {
		return nil, err
	}
	if h.HasFCS && h.FrameContentSize > uint64(d.limits.Batch) {
		return nil, errTooLarge
	}
	bound := zstdSize(src, h)
	if !h.HasFCS {
		buf := buffers.Get().(*bytes.Buffer)
		defer buffers.Put(buf)
		buf.Reset()
		buf.Grow(int(min(bound, maxPooled, max(64<<10, 8*int64(len(src))))))
		out, err := unzstdInto(d.pooled, buf.AvailableBuffer(), src)
		*buf = *bytes.NewBuffer(out[:0])
		if err == nil {
			return d.copyPooled(out, reserve)
		}
		if !exceeds(err) {
			return nil, err
		}
	}
	if bound <= d.limits.Batch {
		return d.fillExact(bound, reserve, func(out []byte) ([]byte, error) { return unzstdInto(d.unlimited, out[:0], src) })
	}
	large.Lock()
	defer large.Unlock()
	out, err := unzstdInto(d.batch, make([]byte, 0, d.limits.Batch), src)
	if exceeds(err) {
		return nil, errTooLarge
	}
	if err != nil {
		return nil, err
	}
	return d.copyPooled(out, reserve)
}

// exceeds reports whether an error is about the size or the window of a frame.
func exceeds(err error) bool {
	return errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrWindowSizeExceeded)
}

// zstdSize returns the upper bound of a frame's unpacked size: the declared size,
// else that of its blocks, else math.MaxInt64 if data follows it or it is damaged.
func zstdSize(src []byte, h zstd.Header) int64 {
	n := int64(0)
	rest := src[min(h.HeaderSize, len(src)):]
	for len(rest) >= 3 {
		block := int(rest[0]) | int(rest[1])<<8 | int(rest[2])<<16
		last, kind, size := block&1 == 1, block>>1&3, block>>3
		packed := size
		switch kind {
		case 0: // raw
			n += int64(size)
		case 1: // run-length
			n, packed = n+int64(size), 1
		default:
			n += maxBlock
		}
		rest = rest[min(3+packed, len(rest)):]
		if !last {
			continue
		}
		if h.HasCheckSum {
			rest = rest[min(4, len(rest)):]
		}
		if len(rest) > 0 {
			break
		}
		if h.HasFCS {
			return int64(h.FrameContentSize)
		}
		return n
	}
	return math.MaxInt64
}

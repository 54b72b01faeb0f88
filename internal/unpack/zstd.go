package unpack

import (
	"bytes"
	"errors"
	"math"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// maxBlock is what a block of zstd unpacks to at most (RFC 8878, section 3.1.1.2.4).
const maxBlock = 128 << 10

// zstds returns a pool of decoders.
func zstds(opts ...zstd.DOption) *sync.Pool {
	return &sync.Pool{New: func() any {
		z, err := zstd.NewReader(nil, append(opts, zstd.WithDecoderLowmem(true), zstd.WithDecoderConcurrency(1))...)
		if err != nil {
			panic(err) // options that are always valid
		}
		return z
	}}
}

// unzstdInto unpacks into out, or into other memory where that is too small.
func unzstdInto(pool *sync.Pool, out, src []byte) ([]byte, error) {
	z := pool.Get().(*zstd.Decoder)
	out, err := z.DecodeAll(src, out)
	_, _ = z.DecodeAll(nil, nil) // or it holds what it has unpacked last
	pool.Put(z)
	return out, err
}

// unzstd unpacks into memory of the size that the frame says. Producers that
// stream say none, Java's among them: then it tries with direct, and where that is
// too little the blocks say how much it is at most.
func (d *Decompressor) unzstd(src []byte, take take) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(src); err != nil {
		return nil, err
	}
	if h.HasFCS && h.FrameContentSize > uint64(d.limits.Batch) {
		return nil, errTooLarge
	}
	most := zstdSize(src, h)
	if !h.HasFCS {
		buf := buffers.Get().(*bytes.Buffer)
		defer buffers.Put(buf)
		buf.Reset()
		buf.Grow(int(min(most, direct, max(64<<10, 8*int64(len(src))))))
		out, err := unzstdInto(d.little, buf.AvailableBuffer(), src)
		*buf = *bytes.NewBuffer(out[:0])
		if err == nil {
			return d.clone(out, take)
		}
		if !exceeds(err) {
			return nil, err
		}
	}
	if most <= d.limits.Batch {
		return d.exactly(most, take, func(out []byte) ([]byte, error) { return unzstdInto(d.wide, out[:0], src) })
	}
	large.Lock()
	defer large.Unlock()
	out, err := unzstdInto(d.strict, make([]byte, 0, d.limits.Batch), src)
	if exceeds(err) {
		return nil, errTooLarge
	}
	if err != nil {
		return nil, err
	}
	return d.clone(out, take)
}

// exceeds reports whether a frame is refused for its size or its window.
func exceeds(err error) bool {
	return errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrWindowSizeExceeded)
}

// zstdSize is how many bytes a frame unpacks to at most: what it says, else what
// its blocks can hold. Where something follows it, or where it is damaged, there
// is no bound.
func zstdSize(src []byte, h zstd.Header) int64 {
	n := int64(0)
	rest := src[min(h.HeaderSize, len(src)):]
	for len(rest) >= 3 {
		block := int(rest[0]) | int(rest[1])<<8 | int(rest[2])<<16
		last, kind, size := block&1 == 1, block>>1&3, block>>3
		packed := size
		switch kind {
		case 0: // as it is
			n += int64(size)
		case 1: // one byte, repeated
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

package unpack

import (
	"bytes"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kgo"
)

// direct is the size up to which a batch whose size is not known is unpacked into
// memory that is used again.
const direct = 8 << 20

var (
	large   sync.Mutex // held for what may be larger than a batch may be: as much memory is taken to find out
	buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}
	gzips   = sync.Pool{New: func() any { return new(gzip.Reader) }}
	lz4s    = sync.Pool{New: func() any { return lz4.NewReader(nil) }}
)

// stream unpacks gzip and LZ4, which do not say how much it will be. What is
// larger than direct is unpacked twice: once to learn its size.
func (d *Decompressor) stream(src []byte, codec kgo.CompressionCodecType, take take) ([]byte, error) {
	buf := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buf)
	buf.Reset()
	n, err := reading(src, codec, func(r io.Reader) (int64, error) { return buf.ReadFrom(io.LimitReader(r, direct+1)) })
	if err != nil {
		return nil, err
	}
	if n <= direct {
		return d.clone(buf.Bytes(), take)
	}
	n, err = reading(src, codec, func(r io.Reader) (int64, error) { return io.Copy(io.Discard, io.LimitReader(r, d.limits.Batch+1)) })
	if err != nil {
		return nil, err
	}
	return d.exactly(n, take, func(out []byte) ([]byte, error) {
		_, err := reading(src, codec, func(r io.Reader) (int64, error) {
			n, err := io.ReadFull(r, out)
			return int64(n), err
		})
		return out, err
	})
}

// reading has use read what src unpacks to.
func reading(src []byte, codec kgo.CompressionCodecType, use func(io.Reader) (int64, error)) (int64, error) {
	if codec == kgo.CodecGzip {
		r := gzips.Get().(*gzip.Reader)
		defer gzips.Put(r)
		if err := r.Reset(bytes.NewReader(src)); err != nil {
			return 0, err
		}
		return use(r)
	}
	r := lz4s.Get().(*lz4.Reader)
	defer lz4s.Put(r)
	r.Reset(bytes.NewReader(src))
	return use(r)
}

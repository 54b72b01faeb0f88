package unpack

import (
	"bytes"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kgo"
)

// maxPooled is the largest batch of unknown size that is unpacked into a pooled
// buffer, in bytes.
const maxPooled = 8 << 20

var (
	large   sync.Mutex // serializes batches whose size may exceed Limits.Batch
	buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}
	gzips   = sync.Pool{New: func() any { return new(gzip.Reader) }}
	lz4s    = sync.Pool{New: func() any { return lz4.NewReader(nil) }}
)

// stream unpacks gzip and LZ4, which do not declare their size. A batch larger than
// maxPooled is unpacked twice, first to find its size.
func (d *Decompressor) stream(src []byte, codec kgo.CompressionCodecType, reserve reserve) ([]byte, error) {
	buf := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buf)
	buf.Reset()
	n, err := withReader(src, codec, func(r io.Reader) (int64, error) { return buf.ReadFrom(io.LimitReader(r, maxPooled+1)) })
	if err != nil {
		return nil, err
	}
	if n <= maxPooled {
		return d.copyPooled(buf.Bytes(), reserve)
	}
	n, err = withReader(src, codec, func(r io.Reader) (int64, error) { return io.Copy(io.Discard, io.LimitReader(r, d.limits.Batch+1)) })
	if err != nil {
		return nil, err
	}
	return d.fillExact(n, reserve, func(out []byte) ([]byte, error) {
		_, err := withReader(src, codec, func(r io.Reader) (int64, error) {
			n, err := io.ReadFull(r, out)
			return int64(n), err
		})
		return out, err
	})
}

// withReader calls use with a reader of the unpacked src.
func withReader(src []byte, codec kgo.CompressionCodecType, use func(io.Reader) (int64, error)) (int64, error) {
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

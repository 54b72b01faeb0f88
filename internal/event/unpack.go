package event

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/yamldoc"
)

var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd} // RFC 8878, 3.1.1
)

// Compressed reports whether a value begins like a gzip member or a zstd frame.
func Compressed(value []byte) bool {
	return bytes.HasPrefix(value, gzipMagic) || bytes.HasPrefix(value, zstdMagic)
}

// zstdWindow is the largest supported window of a zstd frame, in bytes (RFC 8878,
// 3.1.1.1.2).
const zstdWindow = 8 << 20

// unpacker decompresses values of at most max bytes, whatever size they declare.
type unpacker struct {
	max  yamldoc.Size
	zstd func() *zstd.Decoder // shared, safe for concurrent use
}

func newUnpacker(limit yamldoc.Size) *unpacker {
	if limit <= 0 {
		limit = DefaultMaxUnpacked
	}
	return &unpacker{max: limit, zstd: sync.OnceValue(func() *zstd.Decoder {
		// The options are in range, so there is no error. Output is limited to
		// the capacity of the buffer plus one block.
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderMaxMemory(max(zstdWindow, uint64(limit))), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			panic(err)
		}
		return z
	})}
}

func (u *unpacker) quota() Quota { return NewQuota(u.max) }

// value returns a record's value, decompressed.
func (u *unpacker) value(data []byte, q *Quota) ([]byte, error) {
	if len(data) > int(u.max) {
		return nil, q.TakeBytes("the value itself", len(data))
	}
	var name string
	var out []byte
	var err error
	switch {
	case bytes.HasPrefix(data, gzipMagic):
		name = "gzip"
		out, err = gunzip(data, int(u.max))
	case bytes.HasPrefix(data, zstdMagic):
		name = "zstd"
		out, err = u.unzstd(data)
	default:
		return data, q.TakeBytes("the value itself", len(data))
	}
	switch {
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return nil, outcome.Errorf(outcome.EventTooLarge, "zstd window larger than %s", yamldoc.Size(zstdWindow))
	case errors.Is(err, errTooLarge):
		return nil, q.TakeBytes(name, int(u.max)+1)
	case errors.Is(err, errHeader):
		return nil, outcome.Errorf(outcome.Decompress, "damaged %s header", name)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, outcome.Errorf(outcome.Decompress, "truncated %s", name)
	case err != nil:
		return nil, outcome.Errorf(outcome.Decompress, "damaged %s after %d unpacked bytes", name, len(out))
	}
	return out, q.TakeBytes(name, len(out))
}

var (
	errTooLarge = errors.New("more than the limit")
	errHeader   = errors.New("damaged header")
)

// gunzipper is a gzip reader with its source.
type gunzipper struct {
	source bytes.Reader
	gzip   gzip.Reader
}

var gunzippers = sync.Pool{New: func() any { return new(gunzipper) }}

// gunzip unpacks at most limit bytes of gzip (RFC 1952).
func gunzip(data []byte, limit int) ([]byte, error) {
	g := gunzippers.Get().(*gunzipper)
	defer func() {
		g.source.Reset(nil) // the pool must not hold a record
		gunzippers.Put(g)
	}()
	g.source.Reset(data)
	if err := g.gzip.Reset(&g.source); err != nil {
		return nil, errHeader
	}
	// The last four bytes are the unpacked size, which may be forged; the ratio of
	// deflate is at most 1032.
	size := min(int(binary.LittleEndian.Uint32(data[len(data)-4:])), 1032*len(data), limit)
	out := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	_, err := out.ReadFrom(io.LimitReader(&g.gzip, int64(limit)+1))
	if out.Len() > limit {
		return nil, errTooLarge
	}
	return out.Bytes(), err
}

// zstdBlock is the largest zstd block, in bytes (RFC 8878, 3.1.1.2.4).
const zstdBlock = 128 << 10

// unzstd unpacks at most max bytes of zstd (RFC 8878). The decoder's error does
// not tell a full buffer from a damaged frame, so unzstd retries any error with a
// larger buffer, up to the limit plus one block.
func (u *unpacker) unzstd(data []byte) ([]byte, error) {
	last := int(u.max) + zstdBlock
	room := 16 * len(data)
	var h zstd.Header
	if err := h.Decode(data); err == nil && h.HasFCS {
		if h.FrameContentSize > uint64(u.max) {
			return nil, errTooLarge
		}
		room = int(h.FrameContentSize)
	}
	for {
		room = max(1, min(room, last))
		out, err := u.zstd().DecodeAll(data, make([]byte, 0, room))
		switch {
		case len(out) > int(u.max):
			return nil, errTooLarge
		case err == nil, room == last, errors.Is(err, zstd.ErrWindowSizeExceeded):
			return out, err
		}
		room *= 4
	}
}

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

// Compressed reports whether a record's value begins like a gzip member or a
// zstd frame.
func Compressed(value []byte) bool {
	return bytes.HasPrefix(value, gzipMagic) || bytes.HasPrefix(value, zstdMagic)
}

// zstdWindow is the largest window of a zstd frame that is read, in bytes: the
// one that RFC 8878, 3.1.1.1.2, recommends to support.
const zstdWindow = 8 << 20

// unpacker takes compression off values. Nothing that it makes is larger than
// max, whatever a value says of itself.
type unpacker struct {
	max  yamldoc.Size
	zstd func() *zstd.Decoder // one for all, which lends its parts
}

func newUnpacker(limit yamldoc.Size) *unpacker {
	if limit <= 0 {
		limit = DefaultMaxUnpacked
	}
	return &unpacker{max: limit, zstd: sync.OnceValue(func() *zstd.Decoder {
		// The options are in range, so there is no error. The decoder takes no
		// window larger than its memory, and makes no output larger than the
		// capacity that it is given and one block.
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderMaxMemory(max(zstdWindow, uint64(limit))), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			panic(err)
		}
		return z
	})}
}

func (u *unpacker) allowance() allowance {
	return allowance{bytes: int(u.max), values: MaxValues, of: u.max}
}

// value returns a record's value without its compression, if it has any.
func (u *unpacker) value(data []byte, left *allowance) ([]byte, error) {
	if len(data) > int(u.max) {
		return nil, left.unpack("the value itself", len(data))
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
		return data, left.unpack("the value itself", len(data))
	}
	switch {
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return nil, outcome.Errorf(outcome.EventTooLarge, "zstd with a window of more than %s", yamldoc.Size(zstdWindow))
	case errors.Is(err, errTooLarge):
		return nil, left.unpack(name, int(u.max)+1)
	case errors.Is(err, errHeader):
		return nil, outcome.Errorf(outcome.Decompress, "looks like %s, but its header is damaged", name)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, outcome.Errorf(outcome.Decompress, "%s that ends too early (truncated)", name)
	case err != nil:
		return nil, outcome.Errorf(outcome.Decompress, "damaged %s after %d unpacked bytes", name, len(out))
	}
	return out, left.unpack(name, len(out))
}

var (
	errTooLarge = errors.New("more than the limit")
	errHeader   = errors.New("damaged header")
)

// gunzipper is a gzip reader with what it reads from.
type gunzipper struct {
	from bytes.Reader
	gzip gzip.Reader
}

var gunzippers = sync.Pool{New: func() any { return new(gunzipper) }}

// gunzip unpacks at most limit bytes of gzip (RFC 1952). What it returns does not
// share memory with the pooled reader.
func gunzip(data []byte, limit int) ([]byte, error) {
	g := gunzippers.Get().(*gunzipper)
	defer func() {
		g.from.Reset(nil) // a pooled reader holds no record
		gunzippers.Put(g)
	}()
	g.from.Reset(data)
	if err := g.gzip.Reset(&g.from); err != nil {
		return nil, errHeader
	}
	// The last four bytes say how much there is, if the producer is honest; deflate
	// packs at most 1032 bytes into one.
	size := min(int(binary.LittleEndian.Uint32(data[len(data)-4:])), 1032*len(data), limit)
	out := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	_, err := out.ReadFrom(io.LimitReader(&g.gzip, int64(limit)+1))
	if out.Len() > limit {
		return nil, errTooLarge
	}
	return out.Bytes(), err
}

// zstdBlock is how much a block of a zstd frame holds at most (RFC 8878, 3.1.1.2.4).
const zstdBlock = 128 << 10

// unzstd unpacks at most max bytes of zstd (RFC 8878). Where there is less room
// than a frame needs, the decoder stops with one of several errors, which are
// those of a damaged frame too. So it is tried with more room after any error,
// and last with enough for the block that passes the limit.
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

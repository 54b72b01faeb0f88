package unpack

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/klauspost/compress/s2"
)

func (d *Decompressor) snappy(src []byte, take take) ([]byte, error) {
	n, err := snappySize(src, d.limits.Batch)
	if err != nil {
		return nil, err
	}
	return d.exactly(n, take, func(out []byte) ([]byte, error) { return out, snappyInto(out, src) })
}

// xerial begins snappy as the Java client frames it: then two versions of four
// bytes, then blocks, each behind its length of four bytes (snappy-java's
// SnappyOutputStream).
var xerial = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const xerialHeader = 16

var errXerial = errors.New("malformed xerial framing")

func framed(src []byte) bool { return len(src) > xerialHeader && bytes.HasPrefix(src, xerial) }

// snappySize is how many bytes src says it unpacks to; beyond limit it counts no
// further.
func snappySize(src []byte, limit int64) (n int64, err error) {
	err = snappyBlocks(src, func(block []byte) error {
		size, err := s2.DecodedLen(block)
		n += int64(size)
		if err == nil && n > limit {
			err = errTooLarge
		}
		return err
	})
	return n, err
}

// snappyInto fills out, which has the size that src says.
func snappyInto(out, src []byte) error {
	return snappyBlocks(src, func(block []byte) error {
		size, err := s2.DecodedLen(block)
		if err != nil || size > len(out) {
			return errors.Join(errXerial, err)
		}
		if _, err := s2.Decode(out[:size:size], block); err != nil {
			return err
		}
		out = out[size:]
		return nil
	})
}

// snappyBlocks has block called for each block of src: Kafka frames them, other
// clients send one without a frame.
func snappyBlocks(src []byte, block func([]byte) error) error {
	if !framed(src) {
		return block(src)
	}
	for src = src[xerialHeader:]; len(src) > 0; {
		if len(src) < 4 {
			return errXerial
		}
		n := int64(binary.BigEndian.Uint32(src))
		if src = src[4:]; n > int64(len(src)) {
			return errXerial
		}
		if err := block(src[:n]); err != nil {
			return err
		}
		src = src[n:]
	}
	return nil
}

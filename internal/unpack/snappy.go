package unpack

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/klauspost/compress/s2"
)

func (d *Decompressor) snappy(src []byte, reserve reserve) ([]byte, error) {
	n, err := snappySize(src, d.limits.Batch)
	if err != nil {
		return nil, err
	}
	return d.fillExact(n, reserve, func(out []byte) ([]byte, error) { return out, snappyInto(out, src) })
}

// xerial is the magic of the Java client's snappy framing (snappy-java's
// SnappyOutputStream): two versions of four bytes follow, then blocks, each preceded
// by its length of four bytes.
var xerial = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const xerialHeader = 16

var errXerial = errors.New("malformed xerial framing")

func isXerial(src []byte) bool { return len(src) > xerialHeader && bytes.HasPrefix(src, xerial) }

// snappySize returns the declared size of src; beyond limit it is errTooLarge.
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

// snappyInto unpacks src into out, which has its declared size.
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

// snappyBlocks calls block for each block of src, or for src if it has no frame.
func snappyBlocks(src []byte, block func([]byte) error) error {
	if !isXerial(src) {
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

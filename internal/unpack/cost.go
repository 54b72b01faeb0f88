package unpack

import "encoding/binary"

const (
	// RecordCost is the memory of a kgo.Record and its pointer, in bytes.
	RecordCost = 168
	// HeaderCost is the memory of a kgo.RecordHeader and its name, in bytes.
	HeaderCost = 56

	minRecord  = 6  // bytes of a record after its length: attributes, time, offset, key, value, headers
	minMessage = 34 // bytes of an inner message of formats 0 and 1
)

// costOf returns the memory of a batch and its records. Small records take thirty
// times their bytes. body is the records of a batch (KIP-98); for older formats the
// number of records is estimated.
func costOf(body []byte) int64 {
	cost := int64(len(body))
	for len(body) > 0 {
		n, used := binary.Varint(body)
		if used <= 0 || n < minRecord || n > int64(len(body)-used) {
			return cost + int64(len(body)/minMessage)*RecordCost
		}
		cost += RecordCost + HeaderCost*headers(body[used:used+int(n)])
		body = body[used+int(n):]
	}
	return cost
}

// headers returns the declared number of headers of a record, at most its length.
func headers(record []byte) int64 {
	r := record[1:] // attributes
	r = skip(r, false)
	r = skip(r, false)
	r = skip(r, true)
	r = skip(r, true)
	n, used := binary.Varint(r)
	if used <= 0 {
		return 0
	}
	return max(0, min(n, int64(len(r))))
}

// skip skips a number and, if field is set, the field of that length.
func skip(r []byte, field bool) []byte {
	n, used := binary.Varint(r)
	if used <= 0 {
		return nil
	}
	r = r[used:]
	if !field || n < 0 {
		return r
	}
	return r[min(n, int64(len(r))):]
}

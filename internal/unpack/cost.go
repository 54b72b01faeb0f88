package unpack

import "encoding/binary"

const (
	// RecordCost is what kgo takes for a record besides its bytes: the kgo.Record
	// and the pointer to it.
	RecordCost = 168
	// HeaderCost is the same for a header: the kgo.RecordHeader and the string of
	// its name, which is a copy.
	HeaderCost = 56

	leastRecord = 6  // bytes of a record behind its length: attributes, time, offset, key, value, headers
	leastOld    = 34 // bytes of a message of the formats 0 and 1 that is packed in another
)

// costOf is what a batch takes once it is records: a batch of 64 MiB can hold
// nine million records, which take thirty times that. body is a batch's records
// as KIP-98 has them; of the formats before it the number is estimated.
func costOf(body []byte) int64 {
	cost := int64(len(body))
	for len(body) > 0 {
		n, used := binary.Varint(body)
		if used <= 0 || n < leastRecord || n > int64(len(body)-used) {
			return cost + int64(len(body)/leastOld)*RecordCost
		}
		cost += RecordCost + HeaderCost*headers(body[used:used+int(n)])
		body = body[used+int(n):]
	}
	return cost
}

// headers is how many headers a record says it has; no more than fit into it.
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

// skip leaves out a number, and the field whose length it is.
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

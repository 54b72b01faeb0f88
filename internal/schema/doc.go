// Package schema reads documents in Avro's and Protobuf's binary formats into the values
// that JSON is read into. Libraries compile the schemas. The bytes are read here, within
// the bounds of an event: a library would build its own values first, which a few bytes
// can make as large as they like. Start reading at Avro and Protobuf.
package schema

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/outcome"
)

// reader is what is left of a document, and of its bounds.
type reader struct {
	quota   *event.Quota
	repair  func(kind, what string)
	members map[string]bool // to keep at the top level; nil: all
}

// keeps reports whether a member of an object at this depth, from 1, is kept.
func (r *reader) keeps(name string, depth int) bool {
	return depth > 1 || r.members == nil || r.members[name]
}

// enter reports whether an array or object may be at this depth.
func enter(depth int) error {
	if depth > event.MaxDepth {
		return outcome.Errorf(outcome.TooDeep, "nested deeper than %d levels", event.MaxDepth)
	}
	return nil
}

func mismatch(format string, args ...any) error {
	return outcome.Errorf(outcome.SchemaMismatch, format, args...)
}

// truncated is the error of data that ends inside a value.
func truncated(size int) error {
	return outcome.Errorf(outcome.Truncated, "the document ends inside a value, after %d bytes", size)
}

// text returns data as a string that shares its memory.
func text(data []byte) (event.Value, error) {
	if !utf8.Valid(data) {
		return event.Value{}, outcome.Errorf(outcome.NotUTF8, "a string is not UTF-8")
	}
	return event.StringValue(unsafe.String(unsafe.SliceData(data), len(data))), nil
}

// binary returns bytes as base64.
func (r *reader) binary(data []byte) (event.Value, error) {
	if err := r.quota.TakeBytes("bytes as base64", base64.StdEncoding.EncodedLen(len(data))); err != nil {
		return event.Value{}, err
	}
	return event.StringValue(base64.StdEncoding.EncodeToString(data)), nil
}

// exact is up to which absolute value a float64 has every integer.
const exact = 1 << 53

// integer returns a number whose literal is exact.
func integer(n int64) event.Value {
	if n >= -exact && n <= exact {
		return event.NumberValue(float64(n))
	}
	return event.LiteralValue(strconv.FormatInt(n, 10), float64(n))
}

func unsigned(n uint64) event.Value {
	if n <= exact {
		return event.NumberValue(float64(n))
	}
	return event.LiteralValue(strconv.FormatUint(n, 10), float64(n))
}

// float returns a number, or null for what JSON does not have.
func (r *reader) float(f float64) event.Value {
	switch {
	case math.IsNaN(f), math.IsInf(f, 0):
		r.repair(event.NotANumber, fmt.Sprintf("%v in the document", f))
		return event.NullValue()
	case event.IsUnset(f):
		r.repair(event.UnsetNumber, "the largest float, which means unset, in the document: send null")
		return event.NullValue()
	}
	return event.NumberValue(f)
}

// single returns a number that was sent in 32 bits: 0.1 is not 0.10000000149011612.
func (r *reader) single(f float32) event.Value {
	wide := float64(f)
	if math.Abs(wide) >= math.MaxFloat32 { // also infinite
		return r.float(wide)
	}
	if short, err := strconv.ParseFloat(strconv.FormatFloat(wide, 'g', -1, 32), 64); err == nil {
		wide = short
	}
	return r.float(wide)
}

// failed returns err, which a library or this package made, as an *outcome.Error.
func failed(err error, size int) error {
	var known *outcome.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.Is(err, io.ErrUnexpectedEOF):
		return truncated(size)
	}
	return mismatch("the bytes do not fit the schema")
}

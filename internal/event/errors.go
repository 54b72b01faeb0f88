package event

import "errors"

// ErrTombstone is returned by Decode for a record without a value.
var ErrTombstone = errors.New("tombstone: the record has no value")

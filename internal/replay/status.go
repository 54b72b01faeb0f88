package replay

import "github.com/algotrade/notifier/internal/dlq"

// Superseded reports whether a version of an entry is no longer its last, which decides
// whether it may be sent and whether a request has its outcome. last is the offset of a
// record of the entry.
func Superseded(version, last int64) bool { return last > version }

// Status is the status of one version of an entry.
type Status uint8

// The statuses.
const (
	Unread      Status = iota // the index has not read up to it
	Current                   // it is the entry's last version
	Reopened                  // there is a later one: it failed again
	Quarantined               // there is a later one, which is quarantined
	Closed                    // the entry is closed, or never had that version
)

// StatusOf returns the status of a version of an entry.
func StatusOf(version int64, last dlq.Last) Status {
	switch {
	case version >= last.Read:
		return Unread
	case !last.Open || last.Offset < version:
		return Closed
	case !Superseded(version, last.Offset):
		return Current
	case last.Quarantined:
		return Quarantined
	}
	return Reopened
}

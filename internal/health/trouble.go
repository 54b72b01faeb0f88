// Package health is the one place through which the daemon says that
// something stands still: what is wrong, since when, and what to do. One call
// of Board.Report becomes a line in the log, a metric and a cause in /readyz;
// one of Board.Over takes all three back. The list of kinds is closed, and
// docs/standstill.md has a section for each.
package health

import "log/slog"

// Kind is what can be wrong.
type Kind string

// The kinds.
const (
	Brokers     Kind = "brokers"     // none answers
	Login       Kind = "login"       // they refuse user and password
	Topic       Kind = "topic"       // missing, forbidden, without a leader, not writable
	Producer    Kind = "producer"    // the brokers refuse it an id, for good
	Recreated   Kind = "recreated"   // a topic was deleted, and perhaps made again
	Denied      Kind = "denied"      // a topic or the group may not be read any more
	Group       Kind = "group"       // its coordinator fails again and again
	Overstayed  Kind = "overstayed"  // the group went on without this process
	Held        Kind = "held"        // something of ours cannot be written or read, or an offset was set by hand
	Corrupt     Kind = "corrupt"     // a batch cannot be decoded
	TooLarge    Kind = "too-large"   // a batch grows beyond all bounds when it is decompressed
	Transaction Kind = "transaction" // a producer's transaction does not end
	Rule        Kind = "rule"        // a provider refuses all that one rule says
	Progress    Kind = "progress"    // records wait and none is handled, for no reason that is known
)

// words are what the log says of a kind, as constant messages: when it begins
// and while it lasts, and when it is over. What heals by itself is a warning.
var words = map[Kind]struct {
	level       slog.Level
	begun, over string
}{
	Brokers:     {slog.LevelError, "no broker answers", "brokers answer again"},
	Login:       {slog.LevelError, "login refused", "login accepted again"},
	Topic:       {slog.LevelError, "topic unavailable", "topic available again"},
	Producer:    {slog.LevelError, "producer refused", "producer accepted again"},
	Recreated:   {slog.LevelWarn, "topic is not the one that was read", "topic is read again"},
	Denied:      {slog.LevelError, "not authorised", "authorised again"},
	Group:       {slog.LevelError, "the group cannot be used", "the group can be used again"},
	Overstayed:  {slog.LevelWarn, "the group went on without this process", "back in the group"},
	Held:        {slog.LevelError, "partition held", "partition moves again"},
	Corrupt:     {slog.LevelError, "batch is corrupt", "partition is read again"},
	TooLarge:    {slog.LevelError, "batch decompresses too large", "partition is read again"},
	Transaction: {slog.LevelError, "transaction does not end", "transaction has ended"},
	Rule:        {slog.LevelError, "rule suspended", "rule resumed"},
	Progress:    {slog.LevelError, "partition does not move", "partition moves again"},
}

// Groups and Partitions are the kinds that concern the membership of a group,
// and partitions that are not read: components of readiness that decide. Held
// is shown only: it waits by decision, and where something cannot be written
// its topic decides.
var (
	Groups     = []Kind{Denied, Group, Overstayed}
	Partitions = []Kind{Corrupt, TooLarge, Transaction, Progress, Recreated}
)

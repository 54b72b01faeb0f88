package health

import "log/slog"

// Type is what a condition is about. The list is closed; docs/troubleshooting.md
// describes each.
type Type string

// The types.
const (
	Brokers      Type = "brokers"      // none answers
	Login        Type = "login"        // they refuse user and password
	Topic        Type = "topic"        // missing, forbidden, without a leader, not writable
	Producer     Type = "producer"     // the brokers refuse it an id, for good
	Recreated    Type = "recreated"    // a topic was deleted, and perhaps created again
	Denied       Type = "denied"       // a topic or the group may no longer be read
	Group        Type = "group"        // its coordinator fails again and again
	Evicted      Type = "evicted"      // lost membership of the group by a time-out
	Blocked      Type = "blocked"      // something of ours cannot be written or read, or an offset was set by hand
	Corrupt      Type = "corrupt"      // a batch cannot be decoded
	TooLarge     Type = "too-large"    // a batch takes too much memory decompressed
	Transaction  Type = "transaction"  // a producer's transaction does not end
	Rule         Type = "rule"         // a provider refuses all messages of one rule
	Progress     Type = "progress"     // records wait and none is handled, for no known reason
	Retention    Type = "retention"    // waiting records are deleted soon
	Unconfigured Type = "unconfigured" // alerts wait for a channel that is not configured
	OtherLag     Type = "other-lag"    // the lag of another service's group is not known
)

// texts are the log messages of a type: set and cleared, and the least level of
// the first. What recovers by itself is a warning.
var texts = map[Type]struct {
	level        slog.Level
	set, cleared string
}{
	Brokers:      {slog.LevelError, "brokers unreachable", "brokers reachable again"},
	Login:        {slog.LevelError, "authentication failed", "authentication succeeds again"},
	Topic:        {slog.LevelError, "topic unavailable", "topic available again"},
	Producer:     {slog.LevelError, "producer id refused", "producer id granted"},
	Recreated:    {slog.LevelWarn, "topic deleted", "topic recreated and read again"},
	Denied:       {slog.LevelError, "authorization failed", "authorized again"},
	Group:        {slog.LevelError, "group coordinator fails", "group coordinator works again"},
	Evicted:      {slog.LevelWarn, "evicted from consumer group", "rejoined consumer group"},
	Blocked:      {slog.LevelError, "partition blocked", "partition no longer blocked"},
	Corrupt:      {slog.LevelError, "batch is corrupt", "partition is read again"},
	TooLarge:     {slog.LevelError, "batch too large to decompress", "partition is read again"},
	Transaction:  {slog.LevelError, "hanging transaction", "hanging transaction ended"},
	Rule:         {slog.LevelError, "rule suspended", "rule resumed"},
	Progress:     {slog.LevelError, "partition makes no progress", "partition makes progress again"},
	Retention:    {slog.LevelWarn, "retention at risk", "retention no longer at risk"},
	Unconfigured: {slog.LevelError, "alerts wait for a channel that is not configured", "no alerts wait for the channel any longer"},
	OtherLag:     {slog.LevelWarn, "consumer lag of another group unknown", "consumer lag of the group known again"},
}

// The types by the component of readiness that shows them. Membership of a
// group and partitions that are not read decide readiness. Blocked partitions
// are shown only: where something cannot be written its topic decides. Warnings
// are shown only; the types that are left out show under topics and channels.
var (
	Groups     = []Type{Denied, Group, Evicted}
	Partitions = []Type{Corrupt, TooLarge, Transaction, Progress, Recreated}
	Warnings   = []Type{Retention, Unconfigured, OtherLag}
)

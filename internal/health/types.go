package health

import "log/slog"

// Type is the type of a condition. docs/troubleshooting.md describes each.
type Type string

// The types.
const (
	Brokers        Type = "brokers"         // unreachable
	Login          Type = "login"           // the brokers reject the credentials
	Topic          Type = "topic"           // missing, not authorised or without a leader
	Producer       Type = "producer"        // the brokers refuse a producer an id
	Recreated      Type = "recreated"       // a topic was deleted or recreated
	Denied         Type = "denied"          // no longer authorised to read a topic or join the group
	Group          Type = "group"           // the coordinator keeps failing
	Evicted        Type = "evicted"         // lost group membership by a time-out
	Assignment     Type = "assignment"      // the group's assignment is that of a former configuration
	Blocked        Type = "blocked"         // an outbox or dead-letter topic cannot be used, or an offset was set by hand
	Corrupt        Type = "corrupt"         // a batch cannot be decoded
	TooLarge       Type = "too-large"       // a decompressed batch is too large
	Transaction    Type = "transaction"     // a transaction is hanging
	Rule           Type = "rule"            // a provider refuses all messages of a rule
	Waiting        Type = "waiting"         // a provider or the server of a recipient keeps asking for later attempts
	Behind         Type = "behind"          // the alerts of a channel have waited for minutes
	Progress       Type = "progress"        // records wait and none is processed, for an unknown reason
	Retention      Type = "retention"       // retention deletes waiting records soon
	Unconfigured   Type = "unconfigured"    // alerts wait for a channel that is not configured
	Config         Type = "config"          // the rules file is faulty, or notifier.yaml was changed since the start
	DeliveryLog    Type = "delivery-log"    // the delivery log cannot be written
	SchemaRegistry Type = "schema-registry" // does not answer, or refuses us
	State          Type = "state"           // the throttles of a channel cannot be saved
	OtherLag       Type = "other-lag"       // the lag of another group is unknown
)

// texts are the log messages of each type when set and cleared, and the minimum level of
// the former. A condition that recovers by itself is a warning.
var texts = map[Type]struct {
	level        slog.Level
	set, cleared string
}{
	Brokers:        {slog.LevelError, "brokers unreachable", "brokers reachable again"},
	Login:          {slog.LevelError, "authentication failed", "authentication succeeds again"},
	Topic:          {slog.LevelError, "topic unavailable", "topic available again"},
	Producer:       {slog.LevelError, "producer id refused", "producer id granted"},
	Recreated:      {slog.LevelWarn, "topic deleted", "topic recreated and read again"},
	Denied:         {slog.LevelError, "authorization failed", "authorized again"},
	Group:          {slog.LevelError, "group coordinator fails", "group coordinator works again"},
	Evicted:        {slog.LevelWarn, "evicted from consumer group", "rejoined consumer group"},
	Assignment:     {slog.LevelWarn, "assignment does not match the subscription", "assignment matches the subscription"},
	Blocked:        {slog.LevelError, "partition blocked", "partition no longer blocked"},
	Corrupt:        {slog.LevelError, "batch is corrupt", "partition is read again"},
	TooLarge:       {slog.LevelError, "batch too large to decompress", "partition is read again"},
	Transaction:    {slog.LevelError, "hanging transaction", "hanging transaction ended"},
	Rule:           {slog.LevelError, "rule suspended", "rule resumed"},
	Waiting:        {slog.LevelWarn, "provider keeps asking to wait", "provider no longer asks to wait"},
	Behind:         {slog.LevelWarn, "channel behind", "channel no longer behind"},
	Progress:       {slog.LevelError, "partition makes no progress", "partition makes progress again"},
	Retention:      {slog.LevelWarn, "retention at risk", "retention no longer at risk"},
	Unconfigured:   {slog.LevelError, "alerts wait for a channel that is not configured", "no alerts wait for the channel"},
	Config:         {slog.LevelWarn, "changed configuration not applied", "configuration applied"},
	DeliveryLog:    {slog.LevelWarn, "delivery log cannot be written", "delivery log is written again"},
	SchemaRegistry: {slog.LevelError, "schema registry unavailable", "schema registry available again"},
	State:          {slog.LevelWarn, "throttles cannot be saved", "throttles are saved again"},
	OtherLag:       {slog.LevelWarn, "consumer lag of another group unknown", "consumer lag of the group known again"},
}

// The types by their component of /readyz. Groups and Partitions decide readiness. The
// other types are shown with topics, blocked partitions and channels.
var (
	Groups     = []Type{Denied, Group, Evicted, Assignment}
	Partitions = []Type{Corrupt, TooLarge, Transaction, Progress, Recreated}
	Warnings   = []Type{Retention, Unconfigured, Config, DeliveryLog, SchemaRegistry, State, OtherLag}
)

// Package topics defines all Kafka topic names: the platform's three source topics
// and the topics that the notifier derives from its consumer group.
package topics

import (
	"fmt"
	"regexp"
	"strings"
)

// Name is the name of a source topic.
type Name string

// The source topics, fixed by the platform.
const (
	TradeExecutions   Name = "trade-executions"
	PortfolioUpdates  Name = "portfolio-updates"
	ForwardTestEvents Name = "forward-test-events"
)

// All returns the source topics in their canonical order.
func All() []Name {
	return []Name{TradeExecutions, PortfolioUpdates, ForwardTestEvents}
}

// MaxNameLength is the longest topic name that brokers accept, in characters
// (org.apache.kafka.common.internals.Topic).
const MaxNameLength = 249

var legal = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// Join joins names.
func Join(names []Name, separator string) string {
	texts := make([]string, len(names))
	for i, n := range names {
		texts[i] = string(n)
	}
	return strings.Join(texts, separator)
}

// Parse returns the source topic called s. The error suggests the topic for another
// spelling, such as TRADE_EXECUTIONS.
func Parse(s string) (Name, error) {
	for _, n := range All() {
		if s == string(n) {
			return n, nil
		}
	}
	if name, ok := Correct(s); ok {
		return "", fmt.Errorf("%q is not a topic: write %q", s, name)
	}
	return "", fmt.Errorf("%q is not one of the topics %s, %s and %s", s, TradeExecutions, PortfolioUpdates, ForwardTestEvents)
}

// Correct returns the source topic that s spells differently: with an enum's
// prefix, in another case, or with other separators.
func Correct(s string) (Name, bool) {
	fold := func(s string) string {
		s = s[strings.LastIndexAny(s, ".:/")+1:]
		return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(s))
	}
	for _, n := range All() {
		if s != string(n) && fold(s) == fold(string(n)) {
			return n, true
		}
	}
	return "", false
}

// DeadLetter returns the dead-letter topic of a source: compacted, keyed by entry id.
func DeadLetter(group string, source Name) string { return group + ".dlq." + string(source) }

// Outbox returns the topic of a channel's pending deliveries.
func Outbox(group, channel string) string { return group + ".outbox." + channel }

// Replay returns the topic of replay requests.
func Replay(group string) string { return group + ".replay" }

// Deliveries returns the topic of the delivery log.
func Deliveries(group string) string { return group + ".deliveries" }

// State returns the topic of what must survive a restart: compacted, one partition.
func State(group string) string { return group + ".state" }

// OutboxGroup returns the consumer group that reads the outboxes of group.
func OutboxGroup(group string) string { return group + ".outbox" }

// CheckGroup checks the topic names derived from group: legal characters, at most
// MaxNameLength, and none is a source topic.
func CheckGroup(group string, channels ...string) error {
	if !legal.MatchString(group) {
		return fmt.Errorf("group %q cannot be part of a topic name: use letters, digits, '.', '_' and '-'", group)
	}
	derived := make([]string, 0, len(All())+len(channels))
	for _, n := range All() {
		derived = append(derived, DeadLetter(group, n))
	}
	for _, c := range channels {
		derived = append(derived, Outbox(group, c))
	}
	derived = append(derived, Replay(group), Deliveries(group), State(group))
	for _, d := range derived {
		if len(d) > MaxNameLength {
			return fmt.Errorf("topic name %s… has %d characters, the limit is %d: choose a shorter group or channel name", d[:40], len(d), MaxNameLength)
		}
		for _, n := range All() {
			if d == string(n) {
				return fmt.Errorf("topic %s would be a source topic and a derived topic: choose another group or channel name", d)
			}
		}
	}
	return nil
}

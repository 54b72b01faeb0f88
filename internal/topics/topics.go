// Package topics is the one place that spells Kafka topic names: the three
// sources the platform publishes to and the topics the notifier derives from
// its group. Everything else refers to these constants and functions.
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

// MaxNameLength is the longest topic name a broker accepts, in characters
// (org.apache.kafka.common.internals.Topic).
const MaxNameLength = 249

var legal = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// Parse returns the source topic that s names. A spelling that looks like the
// constant of an enum (TRADE_EXECUTIONS, Topics.TRADE_EXECUTIONS) is refused
// with the name that was meant.
func Parse(s string) (Name, error) {
	for _, n := range All() {
		if s == string(n) {
			return n, nil
		}
	}
	if meant, ok := Meant(s); ok {
		return "", fmt.Errorf("%q is not a topic: write %q", s, meant)
	}
	return "", fmt.Errorf("%q is not one of the topics %s, %s and %s", s, TradeExecutions, PortfolioUpdates, ForwardTestEvents)
}

// Meant returns the source topic that s spells in another convention: with an
// enum's prefix, in another case, or with other separators.
func Meant(s string) (Name, bool) {
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

// DeadLetter returns the topic that keeps what could not be handled from
// source: compacted, keyed by the entry's id.
func DeadLetter(group string, source Name) string { return group + ".dlq." + string(source) }

// Outbox returns the topic that holds the deliveries waiting for a channel.
func Outbox(group, channel string) string { return group + ".outbox." + channel }

// Replay returns the topic that holds the requests to send dead letters again.
func Replay(group string) string { return group + ".replay" }

// OutboxGroup returns the consumer group that reads the outboxes of group.
func OutboxGroup(group string) string { return group + ".outbox" }

// CheckGroup reports whether topics can be derived from group: it must be made
// of characters that are legal in a topic name, and no derived name for these
// channels may be longer than MaxNameLength.
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
	derived = append(derived, Replay(group))
	for _, d := range derived {
		if len(d) > MaxNameLength {
			return fmt.Errorf("topic name %s… has %d characters, a broker takes %d: choose a shorter group or channel name", d[:40], len(d), MaxNameLength)
		}
		for _, n := range All() {
			if d == string(n) {
				return fmt.Errorf("topic %s would be both a source and our own: choose another group or channel name", d)
			}
		}
	}
	return nil
}

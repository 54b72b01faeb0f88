package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/topics"
)

// Checks are the checks of topics and rights, for the start of the daemon, for 'topics
// check' and for 'doctor'.
type Checks struct {
	Admin   *kadm.Client
	Config  *Config
	Want    []Shape
	Command string // the program's name in remedies
}

// groups returns the groups that the daemon joins.
func (c *Checks) groups() []string {
	return []string{c.Config.Group, topics.OutboxGroup(c.Config.Group)}
}

// Rights checks the rights on topics and groups. The message of a failed result is
// "WRITE on topic x". If topics are missing, groups are skipped.
func (c *Checks) Rights(ctx context.Context) ([]check.Result, error) {
	var found []check.Result
	deny := func(rights ...string) {
		for _, right := range rights {
			r := check.Failedf("not authorised", c.grant(right), "%s", right)
			r.Err = kerr.TopicAuthorizationFailed
			found = append(found, r)
		}
	}
	missing := 0
	for _, s := range c.Want {
		d, err := lookUp(ctx, c.Admin, s.Topic)
		switch {
		case err != nil:
			return nil, err
		case errors.Is(d.Err, kerr.UnknownTopicOrPartition):
			missing++
		case IsDenied(d.Err):
			for _, op := range s.Role.needs() { // each includes DESCRIBE
				deny(fmt.Sprintf("%s on topic %s", op, s.Topic))
			}
		case d.Err != nil:
			return nil, fmt.Errorf("topic %s: %w", s.Topic, d.Err)
		default:
			deny(lacks(d.AuthorizedOperations, s)...)
		}
	}
	if missing > 0 {
		return append(found, check.Skipf("groups, and "+plural.Count(missing, "topic"), "topics are missing: see below")), nil
	}
	for _, group := range c.groups() {
		more, err := groupRights(ctx, c.Admin, group)
		if err != nil {
			return nil, err
		}
		deny(more...)
	}
	if len(found) == 0 {
		found = append(found, check.Okf("rights", "%s, %s", plural.Count(len(c.Want), "topic"), plural.Count(len(c.groups()), "group")))
	}
	return found, nil
}

// CheckRights and CheckTopics are Rights and Topics as checks.
func (c *Checks) CheckRights(ctx context.Context) []check.Result {
	found, err := c.Rights(ctx)
	return orFailed("rights", found, err)
}

func (c *Checks) CheckTopics(ctx context.Context) []check.Result {
	found, err := c.Topics(ctx)
	return orFailed("topics", found, err)
}

func orFailed(subject string, found []check.Result, err error) []check.Result {
	if err == nil {
		return found
	}
	return []check.Result{check.Failedf(subject, "", "the check failed: %v", err)}
}

// grant returns the command that grants a right: "WRITE on topic x".
func (c *Checks) grant(right string) string {
	operation, resource, _ := strings.Cut(right, " on ")
	kind, name, _ := strings.Cut(resource, " ")
	prefixed := ""
	if prefix := c.Config.Group + "."; strings.HasPrefix(name, prefix) && kind == "topic" {
		name, prefixed = prefix, " --resource-pattern-type prefixed"
	}
	return fmt.Sprintf("kafka-acls --bootstrap-server %s --add --allow-principal User:NOTIFIER --operation %s --%s %s%s", c.bootstrap(), operation, kind, name, prefixed)
}

func (c *Checks) bootstrap() string { return strings.Join(c.Config.Brokers, ",") }

// alter returns the command that sets a topic's configuration.
func (c *Checks) alter(topic, key, value string) string {
	return fmt.Sprintf("kafka-configs --bootstrap-server %s --alter --entity-type topics --entity-name %s --add-config %s=%s", c.bootstrap(), topic, key, value)
}

// Topics compares the topics with their shapes. The Err of a missing one is
// UnknownTopicOrPartition.
func (c *Checks) Topics(ctx context.Context) ([]check.Result, error) {
	var found []check.Result
	partitions := make(map[int][]string) // of the sources
	fine, unidentified := 0, 0
	for _, s := range c.Want {
		d, err := lookUp(ctx, c.Admin, s.Topic)
		if err != nil {
			return nil, err
		}
		list := c.topic(ctx, s, d)
		if len(list) == 0 {
			fine++
		}
		found = append(found, list...)
		if d.Err == nil && d.ID == (kadm.TopicID{}) {
			unidentified++
		}
		if s.Role == RoleSource && d.Err == nil {
			partitions[len(d.Partitions)] = append(partitions[len(d.Partitions)], s.Topic)
		}
	}
	if unidentified > 0 {
		found = append(found, check.Warnf("topic ids", "finish the upgrade of the brokers: raise inter.broker.protocol.version to "+Oldest+" or newer",
			"%s without an id: if a topic is recreated, its first records may be skipped", plural.Count(unidentified, "topic")))
	}
	if len(partitions) > 1 {
		for _, n := range slices.Sorted(maps.Keys(partitions)) {
			names := partitions[n]
			found = append(found, check.Warnf(names[0], "", "the sources have different numbers of partitions: %s: %d", strings.Join(names, ", "), n))
		}
	}
	if fine > 0 {
		found = slices.Insert(found, 0, check.Okf(plural.Count(fine, "topic"), "configured as expected"))
	}
	return found, nil
}

// topic compares one topic with its shape; empty: they match.
func (c *Checks) topic(ctx context.Context, s Shape, d kadm.TopicDetail) []check.Result {
	failed := func(err error, remedy, format string, args ...any) []check.Result {
		r := check.Failedf(s.Topic, remedy, format, args...)
		r.Err = err
		return []check.Result{r}
	}
	switch {
	case errors.Is(d.Err, kerr.UnknownTopicOrPartition):
		return failed(d.Err, c.Command+" topics create", "missing")
	case IsDenied(d.Err):
		return failed(d.Err, c.grant("DESCRIBE on topic "+s.Topic), "DESCRIBE is not authorised")
	case d.Err != nil:
		return failed(d.Err, "", "%v", d.Err)
	}
	configs, err := topicConfigs(ctx, c.Admin, s.Topic)
	if err != nil {
		remedy := ""
		if IsDenied(err) {
			remedy = c.grant("DESCRIBE_CONFIGS on topic " + s.Topic)
		}
		return []check.Result{check.Warnf(s.Topic, remedy, "its configuration cannot be read (%s)", word(err))}
	}
	return c.compare(s, len(d.Partitions), configs)
}

// severities is how many partitions of an outbox with a single owner are written.
var severities = len(alert.Severities())

// keepFor is the recommended retention of a source.
const keepFor = 7 * 24 * time.Hour

func (c *Checks) compare(s Shape, partitions int, configs map[string]string) []check.Result {
	var found []check.Result
	warn := func(remedy, format string, args ...any) {
		found = append(found, check.Warnf(s.Topic, remedy, format, args...))
	}
	fail := func(remedy, format string, args ...any) {
		found = append(found, check.Failedf(s.Topic, remedy, format, args...))
	}
	policy := configs["cleanup.policy"]
	compacted := strings.Contains(policy, "compact")
	deletes := c.alter(s.Topic, "cleanup.policy", "delete")
	switch s.Role {
	case RoleSource:
		if compacted {
			warn(deletes, "is compacted: events that are compacted before they are read raise no alert")
		}
		if retention, err := strconv.ParseInt(configs["retention.ms"], 10, 64); err == nil && retention >= 0 && !compacted && retention < (24*time.Hour).Milliseconds() {
			warn(c.alter(s.Topic, "retention.ms", ms(keepFor)),
				"keeps events for %s only: an outage longer than that loses alerts", time.Duration(retention)*time.Millisecond)
		}
		return found
	case RoleDeadLetter:
		if policy != "compact" {
			fail(c.alter(s.Topic, "cleanup.policy", "compact"), "its cleanup.policy is %s: dead letters would expire", policy)
		}
		if partitions != 1 {
			fail("recreate it with 1 partition", "has %d partitions, want 1: an entry and its tombstone must be in one log", partitions)
		}
	case RoleReplay:
		if compacted {
			fail(deletes, "is compacted: requests would be lost")
		}
		if partitions != 1 {
			fail("recreate it with 1 partition", "has %d partitions, want 1: one daemon must read all requests", partitions)
		}
	case RoleDeliveries:
		if compacted {
			fail(deletes, "is compacted: of the deliveries of an alert only the last would be kept")
		}
	case RoleState:
		if policy != "compact" {
			fail(c.alter(s.Topic, "cleanup.policy", "compact"), "its cleanup.policy is %s: throttles would be forgotten", policy)
		}
		if partitions != 1 {
			fail("recreate it with 1 partition", "has %d partitions, want 1: every daemon reads one log", partitions)
		}
	case RoleOutbox:
		if compacted {
			fail(deletes, "is compacted: alerts with the same key would be lost")
		}
		switch {
		case partitions == int(s.Partitions):
		case s.SingleOwner && partitions < int(s.Partitions):
			warn(fmt.Sprintf("stop the daemons, add partitions, and start them: kafka-topics --bootstrap-server %s --alter --topic %s --partitions %d", c.bootstrap(), s.Topic, s.Partitions),
				"has %s, want %d, one for each severity: a critical alert waits behind the alerts written before it", plural.Count(partitions, "partition"), s.Partitions)
		case s.SingleOwner && partitions <= severities:
		case s.SingleOwner:
			warn("", "has %d partitions, of which the first %d are written, one for each severity", partitions, severities)
		case s.Partitions == 1:
			fail("recreate it with 1 partition, or set the channel's partitions", "has %d partitions, want 1: several instances would send its alerts", partitions)
		default:
			warn("", "has %d partitions, want %d", partitions, s.Partitions)
		}
	}
	// An older format has no headers, and the broker refuses idempotent producers.
	if v := configs["message.format.version"]; strings.HasPrefix(v, "0.8") || strings.HasPrefix(v, "0.9") || strings.HasPrefix(v, "0.10") {
		fail(c.alter(s.Topic, "message.format.version", Oldest), "its message.format.version is %s, want 0.11 or newer: records without headers cannot hold alerts", v)
	}
	have, _ := strconv.Atoi(configs["max.message.bytes"])
	need, _ := strconv.Atoi(s.Configs["max.message.bytes"])
	if have < need {
		report := warn
		if s.Role == RoleDeadLetter {
			report = fail
		}
		report(c.alter(s.Topic, "max.message.bytes", strconv.Itoa(need)), "takes messages of %d bytes, want %d: a large event would not fit", have, need)
	}
	return found
}

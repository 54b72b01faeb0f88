package devbroker

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Topic describes a topic to create.
type Topic struct {
	Name       string
	Partitions int32             // at least 1
	Configs    map[string]string // Kafka's topic configs
}

// Default bounds of a topic. kfake reads every segment at its start, so a small
// total keeps restarts fast; retention drops whole segments.
const (
	topicBytes   = 32 << 20
	segmentBytes = 8 << 20
)

// CreateTopics creates the missing topics and returns their names. A topic that
// is not compacted stores 32 MiB in all, unless its configuration sets
// retention.bytes (per partition).
func (b *Broker) CreateTopics(topics ...Topic) (created []string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cluster == nil {
		return nil, errors.New("create topics: the broker is closed")
	}
	for _, t := range topics {
		switch err := b.cluster.CreateTopic(t.Name, t.Partitions, t.bounded()); {
		case errors.Is(err, kerr.TopicAlreadyExists):
		case err != nil:
			return created, fmt.Errorf("create topic %s: %w", t.Name, err)
		default:
			created = append(created, t.Name)
		}
	}
	return created, nil
}

// bounded returns the topic's configuration with explicit bounds: kfake ignores
// those of the broker's configuration.
func (t Topic) bounded() map[string]string {
	configs := map[string]string{
		"segment.bytes":   strconv.Itoa(segmentBytes),
		"retention.bytes": strconv.FormatInt(topicBytes/int64(max(t.Partitions, 1)), 10),
	}
	maps.Copy(configs, t.Configs)
	if policy := configs["cleanup.policy"]; strings.Contains(policy, "compact") && !strings.Contains(policy, "delete") {
		// Kafka does not apply retention to a compacted topic, kfake does.
		configs["retention.ms"], configs["retention.bytes"] = "-1", "-1"
	}
	return configs
}

package lag

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/topics"
)

// Stranded warns of alerts for channels of a group that wait in outboxes of
// another group without members: kafka.group was changed, and nothing sends them.
// Groups that may not be described are skipped.
func Stranded(ctx context.Context, adm *kadm.Client, ours string, channels []string) []check.Result {
	md, err := adm.Metadata(ctx)
	if err != nil {
		return []check.Result{check.Warnf("outboxes of other groups", "", "the check failed: %v", err)}
	}
	outboxes := make(map[string][]string) // by group
	for _, topic := range md.Topics.Names() {
		group, channel, found := strings.Cut(topic, topics.Outbox("", ""))
		if found && group != ours && slices.Contains(channels, channel) {
			outboxes[group] = append(outboxes[group], topic)
		}
	}
	var found []check.Result
	for group, names := range outboxes {
		reader := topics.OutboxGroup(group)
		described, err := adm.DescribeGroups(ctx, reader)
		if err == nil {
			err = described[reader].Err
		}
		if err != nil && !errors.Is(err, kerr.GroupIDNotFound) || len(described[reader].Members) > 0 { // another notifier's
			continue
		}
		waiting, err := Waiting(ctx, adm, reader, md.Cluster, names...)
		if err != nil {
			continue
		}
		for _, topic := range names {
			if n := waiting[topic].Total(); n > 0 {
				found = append(found, check.Warnf(topic, fmt.Sprintf("if kafka.group was %s before: set it back, run the notifier until they are sent ('notifier lag'), then change it; "+
					"if they are not to be sent, delete the topic", group), "group %s has no members, and up to %d alerts wait in this outbox", group, n))
			}
		}
	}
	slices.SortFunc(found, func(a, b check.Result) int { return strings.Compare(a.Subject, b.Subject) })
	return found
}

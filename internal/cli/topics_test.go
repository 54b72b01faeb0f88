package cli

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// TestTopicsCheckNamesWhatIsMissing with its remedy, as the doctor does.
func TestTopicsCheckNamesWhatIsMissing(t *testing.T) {
	c := testkafka.Start(t, []kafka.Channel{{Name: "desk", Partitions: 1}})
	outbox := topics.Outbox(c.Group, "desk")
	check := func(code int) []map[string]any {
		return command(t, c, "topics", "check", "-o", "json").Want(t, code).Objects(t)
	}
	if list := check(base.ExitDone); len(list) != 1 || list[0]["status"] != "ok" || list[0]["area"] != "topics" {
		t.Errorf("with all topics: %v", list)
	}
	c.Delete(outbox)
	list := check(base.ExitFailed)
	if len(list) != 2 || list[1]["status"] != "failed" || list[1]["subject"] != outbox || list[1]["message"] != "missing" ||
		!strings.HasSuffix(list[1]["remedy"].(string), " topics create") {
		t.Errorf("without an outbox: %v", list)
	}
}

func TestTopicsCreateReportsOtherPartitionCounts(t *testing.T) {
	c := testkafka.Start(t, nil)
	shapes := c.Shapes(nil)
	partitions := shapes[slices.IndexFunc(shapes, func(s kafka.Shape) bool { return s.Topic == string(topics.TradeExecutions) })].Partitions
	want := fmt.Sprintf("trade-executions exists with %d partitions, not 12: add them with 'kafka-topics.sh --alter --topic trade-executions --partitions 12'", partitions)
	a := command(t, c, "topics", "create", "--partitions", "12", "-o", "json").Want(t, base.ExitDone, want)
	for _, o := range a.Objects(t) {
		wanted, _ := o["wanted"].(map[string]any)
		if o["topic"] == string(topics.TradeExecutions) && (o["action"] != "keep" || o["partitions"] != float64(partitions) || len(wanted) != 1 || wanted["partitions"] != 12.0) {
			t.Errorf("%v", o)
		}
		if o["topic"] == topics.DeadLetter(c.Group, topics.TradeExecutions) && o["wanted"] != nil {
			t.Errorf("--partitions is for sources: %v", o)
		}
	}
	for _, o := range command(t, c, "topics", "create", "--replication", "7", "--dry-run", "-o", "json").Want(t, base.ExitDone).Objects(t) {
		if wanted, _ := o["wanted"].(map[string]any); len(wanted) != 1 || wanted["replication"] != 7.0 {
			t.Errorf("--replication 7: %v", o)
		}
	}
	command(t, c, "topics", "create", "--partitions", "1").Want(t, base.ExitDone, "Kafka cannot remove partitions")
	if a := command(t, c, "topics", "create").Want(t, base.ExitDone); strings.Contains(a.Err, "exists with") {
		t.Errorf("nothing was asked for:\n%s", a.Err)
	}
}

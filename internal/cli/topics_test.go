package cli

import (
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

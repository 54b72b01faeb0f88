package cli

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/channel/email/smtptest"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// TestReplayLeavesOutRecipientsThatHaveMail replaces a refused address twice: the first
// replacement is refused too.
func TestReplayLeavesOutRecipientsThatHaveMail(t *testing.T) {
	c := testkafka.Start(t, one("mail", 1))
	server := smtptest.Start(t, smtptest.Config{Rcpt: func(to string) error {
		if strings.HasPrefix(to, "gone") {
			return smtptest.Reply(550, "5.1.1", "No such mailbox")
		}
		return nil
	}})
	with := func(to string) string {
		return files(t, c, fmt.Sprintf("  mail: {email: {server: %q, from: alerts@example.com, to: [desk@example.com, %s], tls: none}}", server.Addr, to),
			fmt.Sprintf(every, "mail"))
	}
	d := start(t, with("gone@example.com"))
	c.Produce(alerting(topics.TradeExecutions, "k", 1, 1)...)
	become(t, c, map[dlq.State]int{dlq.Open: 1})
	d.stop()

	d = start(t, with("gone-too@example.com"))
	replayAll := []string{"dlq", "replay", "--all", "--wait", "--yes"}
	clitest.Main(Run).On(t, c, replayAll...).Want(t, base.ExitFailed, "1 sent: 1 reopened")
	if e := clitest.DeadLetters(t, c, topics.TradeExecutions)[0]; !slices.Equal(e.Recipients, []string{"gone-too@example.com"}) || !slices.Equal(e.Delivered, []string{"desk@example.com"}) {
		t.Errorf("refused by %v, delivered to %v", e.Recipients, e.Delivered)
	}
	d.stop()

	start(t, with("risk@example.com"))
	clitest.Main(Run).On(t, c, replayAll...).Want(t, base.ExitDone, "1 sent: 1 resolved")
	var to [][]string
	for _, m := range server.Mails() {
		to = append(to, m.To)
	}
	if got := fmt.Sprint(to); got != "[[desk@example.com] [risk@example.com]]" {
		t.Errorf("the mails went to %s", got)
	}
}

package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// seen has commands find the daemon, as they do by its configuration where the
// port is not the test's own.
func (d *daemon) seen(t *testing.T) {
	t.Helper()
	t.Setenv("NOTIFIER_HTTP_LISTEN", strings.TrimPrefix(d.http, "http://"))
}

// TestAMendedChannelIsTriedAtOnce is the morning on which somebody has put the
// new token in place.
func TestAMendedChannelIsTriedAtOnce(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", latched)
	dir := files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook"))
	reset := func(args ...string) clitest.Answer {
		return command(t, c, append([]string{"channels", "reset", "hook", "-c", dir + "/notifier.yaml"}, args...)...)
	}
	before := end(t, c, topics.Replay(c.Group))
	reset().Want(t, base.ExitDone, "no notifier is running in group "+c.Group)
	if end(t, c, topics.Replay(c.Group)) != before {
		t.Error("a request was written that nobody will read")
	}
	d := start(t, dir)
	c.Produce(keyed(1, 1)...) // alone, so that no other attempt is under way when it is latched
	testkafka.Eventually(t, 20*time.Second, "the channel is latched", func() bool {
		_, ok, cause := d.component("channel hook")
		return !ok && strings.Contains(cause, "410")
	})
	c.Produce(keyed(20, 5)[1:]...)
	testkafka.Eventually(t, 20*time.Second, "they wait", func() bool { return c.Lag(topics.OutboxGroup(c.Group)) == 20 })
	d.seen(t)
	tries := len(hook.Requests())
	reset().Want(t, base.ExitFailed, "hook was tried and does not work: latched: destination: ", "410")
	if n := len(hook.Requests()) - tries; n < 1 || n > 2 { // one for each reset; the slow probe may come between
		t.Errorf("it was tried %d times", n)
	}
	hook.SetAnswer(nil)
	a := reset("-o", "json").Want(t, base.ExitDone)
	if o := a.Objects(t)[0]; o["result"] != "works" || o["channel"] != "hook" || o["waiting"] != 20.0 {
		t.Errorf("it says %v", o)
	}
	got(t, hook, 20, 20*time.Second)
	settled(t, c)
	// A reset holds up nothing that is settled in the same topic, and is no record
	// that is not ours.
	if log := d.err.String(); strings.Contains(log, "not ours") {
		t.Errorf("the log:\n%s", log)
	}
	reset().Want(t, base.ExitDone, "asked for; nothing waits for hook: the next alert tries it")
	reset("--no-wait").Want(t, base.ExitDone, "asked for: the notifiers try hook within seconds")
	testkafka.Eventually(t, 20*time.Second, "the request is settled", func() bool { return c.Lag(c.Group) == 0 })
	d.stop()
	// What was asked of the daemons of before is nothing to the next.
	d = start(t, dir)
	if strings.Contains(d.err.String(), "channel reset") {
		t.Error("an old reset was carried out")
	}
	command(t, c, "channels", "reset", "hok", "-c", dir+"/notifier.yaml").Want(t, base.ExitMisused, "there is no channel hok, did you mean hook?")
}

// TestAResetReachesTheInstanceThatHasTheOutbox, whichever it is: the two share
// its partitions, and each has some of what waits.
func TestAResetReachesTheInstanceThatHasTheOutbox(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", latched)
	dir := files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook"))
	first, second := start(t, dir), start(t, dir)
	const n = 40
	c.Produce(keyed(n, 10)...)
	testkafka.Eventually(t, 20*time.Second, "they wait", func() bool { return c.Lag(topics.OutboxGroup(c.Group)) == n })
	testkafka.Eventually(t, 30*time.Second, "both have latched it", func() bool {
		_, a, _ := first.component("channel hook")
		_, b, _ := second.component("channel hook")
		return !a && !b
	})
	hook.SetAnswer(nil)
	began := time.Now()
	command(t, c, "channels", "reset", "hook", "-c", dir+"/notifier.yaml").Want(t, base.ExitDone, "hook takes alerts again")
	got(t, hook, n, 20*time.Second)
	settled(t, c)
	if took := time.Since(began); took > 40*time.Second {
		t.Errorf("it took %s: that is the slow probe", took)
	}
}

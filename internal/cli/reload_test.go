package cli

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// replaceFile replaces a file as configuration management does, in one step.
func replaceFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

// TestChangedRulesApplyWithoutRestart: what is delivered tells which rules are in force.
func TestChangedRulesApplyWithoutRestart(t *testing.T) {
	alongside(t)
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", nil)
	dir := files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook"))
	d := start(t, dir)
	rules := filepath.Join(dir, "rules.yaml")
	c.Produce(alerting(topics.TradeExecutions, "", 0, 1)...)
	got(t, hook, 1, 20*time.Second)

	replaceFile(t, rules, strings.Replace(fmt.Sprintf(every, "hook"), "name: every", "name: each", 1))
	d.err.Wait(t, 20*time.Second, `"msg":"rules reloaded","component":"config","rules":1,"added":["each"],"removed":["every"]`)
	c.Produce(alerting(topics.TradeExecutions, "", 1, 1)...)
	hook.Wait(20*time.Second, func(list []webhooktest.Request) bool {
		return len(list) == 2 && strings.Contains(string(list[1].Body), `"rule":"each"`)
	})

	replaceFile(t, rules, strings.Replace(fmt.Sprintf(every, "hook"), "event.alert", "evnt.alert", 1))
	d.err.Wait(t, 20*time.Second, "rules.yaml:6:11: ", "the rules that were read before stay in force")
	if status, body := d.get("/readyz"); status != http.StatusOK || !strings.Contains(body, "rules.yaml:6:11: ") {
		t.Errorf("status %d: %s", status, body)
	}
	if _, body := d.get("/metrics"); !strings.Contains(body, "notifier_config_last_reload_successful 0") {
		t.Error("the metric does not say that the reload failed")
	}
	c.Produce(alerting(topics.TradeExecutions, "", 2, 1)...)
	got(t, hook, 3, 20*time.Second)

	replaceFile(t, rules, fmt.Sprintf(every, "hook"))
	d.err.Wait(t, 20*time.Second, `"msg":"configuration applied"`)
	if _, body := d.get("/metrics"); !strings.Contains(body, "notifier_config_last_reload_successful 1") {
		t.Error("the metric does not say that the reload succeeded")
	}
}

func TestHangupReloadsAtOnceAndNamesRestart(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", nil)
	dir := files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook"))
	d := start(t, dir)
	hangup := func() {
		t.Helper()
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	hangup()
	d.err.Wait(t, 10*time.Second, `"msg":"rules reloaded: the file is unchanged"`)
	hangup()
	testkafka.Eventually(t, 10*time.Second, "the second one is logged, too", func() bool {
		return strings.Count(d.err.String(), `"msg":"rules reloaded: the file is unchanged"`) == 2
	})
	file := filepath.Join(dir, "notifier.yaml")
	former, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	replaceFile(t, file, string(former)+"\nlag: {groups: []}\n")
	hangup()
	d.err.Wait(t, 10*time.Second, "notifier.yaml was changed since the start: run notifier config check, then restart the daemon to apply it")
	if err := os.Remove(filepath.Join(dir, "rules.yaml")); err != nil {
		t.Fatal(err)
	}
	hangup()
	d.err.Wait(t, 10*time.Second, "cannot read "+filepath.Join(dir, "rules.yaml"))
	c.Produce(alerting(topics.TradeExecutions, "", 0, 1)...)
	got(t, hook, 1, 20*time.Second)
}

func TestDevSaysWhenRulesAreApplied(t *testing.T) {
	dir := t.TempDir()
	rules, config := filepath.Join(dir, "rules.yaml"), filepath.Join(dir, "notifier.yaml")
	replaceFile(t, rules, fmt.Sprintf(every, "desk"))
	replaceFile(t, config, "rules: rules.yaml\nchannels: {desk: {console: {}}}\n")
	out, errs := clitest.NewLines(), clitest.NewLines()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		args := []string{"dev", "--no-samples", "--kafka", "127.0.0.1:0", "--http", "127.0.0.1:0", "-c", config}
		ended <- Run(ctx, args, base.Streams{In: strings.NewReader(""), Out: out, Err: errs})
	}()
	out.Wait(t, 30*time.Second, "notifier dev", "1 rule")
	replaceFile(t, rules, strings.Replace(fmt.Sprintf(every, "desk"), "event.alert", "evnt.alert", 1))
	out.Wait(t, 20*time.Second, "  rules     refused, the former ones stay in force:")
	replaceFile(t, rules, fmt.Sprintf(every, "desk"))
	out.Wait(t, 20*time.Second, "  rules     applied: 1 rule")
	cancel()
	<-ended
	if strings.Contains(errs.String(), "level=ERROR") || strings.Contains(errs.String(), `"level":"ERROR"`) {
		t.Errorf("the log repeats it: %s", errs)
	}
}

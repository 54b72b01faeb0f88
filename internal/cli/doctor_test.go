package cli

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/obs/admin"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// examineIn runs doctor with the configuration in a directory.
func examineIn(t *testing.T, c *testkafka.Cluster, dir string, args ...string) clitest.Answer {
	t.Helper()
	return command(t, c, append([]string{"doctor", "-c", filepath.Join(dir, "notifier.yaml")}, args...)...)
}

// inJSON is a text as it stands in a JSON string.
func inJSON(s string) string {
	quoted, _ := json.Marshal(s)
	return string(quoted[1 : len(quoted)-1])
}

// TestDoctorFindsNoFaultWhenHealthy, looked at before its first start, while it
// runs, and with what it does not like.
func TestDoctorFindsNoFaultWhenHealthy(t *testing.T) {
	c := testkafka.Start(t, one("hook", 1))
	hook := webhooktest.Start(t, "", nil)
	dir := files(t, c, fmt.Sprintf("  hook: {webhook: {url: %q}, partitions: 1}\n", hook.URL), fmt.Sprintf(every, "hook"))
	t.Setenv("NOTIFIER_HTTP_LISTEN", "127.0.0.1:1")
	before := examineIn(t, c, dir).Want(t, base.ExitDone, "0 failed")
	before.Contains(t, "ok rights: 10 topics, 2 groups", "ok 10 topics: configured as expected", c.Brokers[0]+" (broker ", "answers after",
		"none yet: a first start begins at earliest", "skipped http://127.0.0.1:1: no notifier is running there", "skipped hook, receiver: the receiver itself cannot be verified", "in no built-in sample of trade-executions, portfolio-updates: event.alert")

	t.Setenv("NOTIFIER_HTTP_LISTEN", "")
	d := start(t, dir)
	c.Produce(alerting(topics.TradeExecutions, "a", 0, 3)...)
	got(t, hook, 3, 20*time.Second)
	c.Produce(&kgo.Record{Topic: string(topics.PortfolioUpdates), Value: []byte(`{"occurred_at":"soon","nav":NaN}`)})
	settled(t, c)
	d.seen(t)
	running := examineIn(t, c, dir).Want(t, base.ExitDone)
	running.Contains(t, "alive", "ok "+d.http+": ready", "as this command", "ok group "+c.Group+": stable, 1 member from", "ok trade-executions: no lag",
		"ok "+topics.Outbox(c.Group, "hook")+": no lag",
		"warning portfolio-updates: events with mistakes were repaired: event-time 1, not-a-number 1 → correct the producer", "not from the file: kafka.brokers")
	areas := make(map[any]bool)
	for _, o := range examineIn(t, c, dir, "-o", "json").Want(t, base.ExitDone).Objects(t) {
		areas[o["area"]] = true
		if o["status"] == "failed" || o["subject"] == "" || o["message"] == "" {
			t.Errorf("it found %v", o)
		}
	}
	if len(areas) != 10 {
		t.Errorf("it looked at %v", areas)
	}
	if n := len(hook.Requests()); n != 3 {
		t.Errorf("the doctor posted %d times", n-3)
	}

	// A revoked webhook, and alerts that wait for it.
	hook.SetAnswer(revoked)
	c.Produce(alerting(topics.TradeExecutions, "a", 3, 1)...)
	testkafka.Eventually(t, 20*time.Second, "the channel is suspended", func() bool { _, ok, _ := d.component("channel hook"); return !ok })
	examineIn(t, c, dir).Want(t, base.ExitFailed, "1 check failed").Contains(t, "failed channel hook: suspended: destination: ")
	d.stop()
	examineIn(t, c, dir).Contains(t, "no members: no notifier is running", "1 record waits, the oldest for")
}

func TestDoctorReportsFaultsWithRemedies(t *testing.T) {
	c := testkafka.Start(t, append(one("hook", 1), one("other", 1)...))
	hook := webhooktest.Start(t, "", nil)
	t.Setenv("NOTIFIER_HTTP_LISTEN", "127.0.0.1:1")
	channels := "  hook: {webhook: {url: 'http://127.0.0.1:1/'}, partitions: 1}\n" + fmt.Sprintf("  other: {webhook: {url: %q}, partitions: 1}\n", hook.URL)
	dir := files(t, c, channels, strings.Replace(fmt.Sprintf(every, "hook"), "event.alert == true", "evnt.alert == true", 1))
	setOffset(t, c, c.Group, string(topics.TradeExecutions), 4711)
	setOffset(t, c, topics.OutboxGroup(c.Group), topics.Outbox(c.Group, "other"), 0)
	c.Delete(topics.Outbox(c.Group, "hook"))
	broker := c.Brokers[0]
	a := local(t, "doctor", "-c", filepath.Join(dir, "notifier.yaml"), "--brokers", broker+",127.0.0.1:1").Want(t, base.ExitFailed)
	self := fmt.Sprintf("notifier -c %s --brokers '%s,127.0.0.1:1' ", filepath.Join(dir, "notifier.yaml"), broker)
	a.Contains(t,
		"failed "+filepath.Join(dir, "rules.yaml")+":6:11: rules[0].when: ", // evnt
		"failed 127.0.0.1:1: connection refused → start the broker, or correct kafka.brokers",
		"failed "+topics.Outbox(c.Group, "hook")+": missing → "+self+"topics create",
		"skipped groups, and 1 topic: topics are missing: see below",
		"failed trade-executions: partition 0: the committed offset 4711 is beyond the log's end 0",
		"failed "+topics.Outbox(c.Group, "other")+": partition 0 is blocked: its offset 0 was set by hand → "+self+"run --start committed",
		"failed hook, connection: 127.0.0.1:1: connection refused → check the name and the port",
	)
}

// TestDoctorNeverHangs: brokers, a channel and a notifier that take
// connections and say nothing.
func TestDoctorNeverHangs(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	go func() {
		for {
			conn, err := silent.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
		}
	}()
	addr := silent.Addr().String()
	t.Setenv("NOTIFIER_HTTP_LISTEN", addr)
	dir := t.TempDir()
	text := fmt.Sprintf("kafka: {brokers: [%q]}\nrules: rules.yaml\nchannels:\n  mail: {email: {server: %q, from: a@example.com, to: [b@example.com], tls: none}}\n  hook: {webhook: {url: 'https://%s/'}}\n", addr, addr, addr)
	for name, text := range map[string]string{"notifier.yaml": text, "rules.yaml": fmt.Sprintf(every, "hook")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	a := local(t, "doctor", "-c", filepath.Join(dir, "notifier.yaml")).Want(t, base.ExitFailed)
	if took := time.Since(began); took > 12*time.Second {
		t.Errorf("it took %s", took)
	}
	a.Contains(t, "accepts connections but does not respond: check that it is a Kafka broker and has started", "skipped rights: ", "failed mail, server: greeting: timed out", "failed hook, encryption: ", "skipped http://"+addr)
}

// unpack reads a bundle.
func unpack(t *testing.T, name string) map[string]string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for r := tar.NewReader(zipped); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimPrefix(h.Name, "notifier-doctor/")] = string(text)
	}
}

// TestBundleHasNoSecrets: they are planted in the configuration, in URLs, in the
// environment, in the rules, and in what the notifier serves, which repeats all.
func TestBundleHasNoSecrets(t *testing.T) {
	secrets := map[string]string{
		"in a path": "k3y-in-the-path", "in a query": "k3y-in-the-query", "a header's token": "t0ken-in-a-header", "a signing secret": "c2lnbmluZy1zZWNyZXQtb2YtMzI=",
		"a Slack token": "xoxb-12345-planted", "a password": "pa$$w0rd&co", "in a URL of the rules": "us3r:pl4nted", "of the environment": "env1ronment-secret",
		"of nobody we know": "xoxb-98765-stranger", "a broker's password": "br0ker-password",
	}
	c := testkafka.Start(t, one("hook", 2))
	echo := "suspended: 403"
	for _, s := range secrets {
		echo += " " + s
	}
	echo += " https://" + secrets["in a URL of the rules"] + "@wiki.example.com Bearer " + secrets["a header's token"]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			_ = json.NewEncoder(w).Encode(base.Readiness{Components: []admin.Component{
				{Name: "channel hook", State: "suspended", Cause: echo}, {Name: "topics", Decides: true, Cause: inJSON(echo)},
			}})
			return
		}
		fmt.Fprintln(w, r.URL.Path, echo)
	}))
	defer server.Close()
	t.Setenv("NOTIFIER_HTTP_LISTEN", strings.TrimPrefix(server.URL, "http://"))
	t.Setenv("HOOK_URL", "http://127.0.0.1:1/"+secrets["in a path"]+"?sig="+secrets["in a query"])
	t.Setenv("HOOK_TOKEN", "Bearer "+secrets["a header's token"])
	t.Setenv("SOME_SERVICE_TOKEN", secrets["of the environment"])
	dir := files(t, c, fmt.Sprintf(`  hook: {webhook: {url: env:HOOK_URL, secret: "whsec_%s", headers: {Authorization: env:HOOK_TOKEN}}, partitions: 2}
  chat: {slack: {token: %q, channel: C0DESK01, api: "http://127.0.0.1:1/"}}
  mail: {email: {server: "127.0.0.1:1", from: a@example.com, to: [b@example.com], username: alerts, password: %q, tls: none}}`,
		secrets["a signing secret"], secrets["a Slack token"], secrets["a password"]),
		fmt.Sprintf(every, "hook")+"    runbook: https://"+secrets["in a URL of the rules"]+"@wiki.example.com/\n")
	file := filepath.Join(dir, "notifier.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// A fault that repeats what stands in the wrong place.
	text = append(text, fmt.Sprintf("\nlog: {level: %q}\n", secrets["of nobody we know"])...)
	text = []byte(strings.Replace(string(text), "log: {format: json}\n", "", 1))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KAFKA_SASL_PASSWORD", secrets["a broker's password"])

	name := filepath.Join(dir, "bundle.tar.gz")
	a := examineIn(t, c, dir, "--bundle", name).Want(t, base.ExitFailed, "written to "+name+": review it before you send it")
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: others may read it", info.Mode(), err)
	}
	all := unpack(t, name)
	for _, want := range []string{"README.txt", "results.txt", "results.jsonl", "config.txt", "rules.yaml", "versions.json", "topics.json", "groups.json", "readyz.json", "livez.txt", "metrics.txt", "goroutines.txt", "missing.txt"} {
		if all[want] == "" && want != "missing.txt" {
			t.Errorf("%s is not in it, which says of what it lacks:\n%s", want, all["missing.txt"])
		}
	}
	for name, want := range map[string]string{
		"config.txt": "channels.chat.slack.token = [redacted]", "topics.json": topics.Outbox(c.Group, "hook"), "groups.json": topics.OutboxGroup(c.Group),
		"rules.yaml": "https://[redacted]@wiki.example.com/", "results.txt": "channel hook: suspended", "readyz.json": "channel hook",
	} {
		if !strings.Contains(all[name], want) {
			t.Errorf("%s lacks %q:\n%s", name, want, all[name])
		}
	}
	all["what it prints"] = a.Out + a.Err
	for where, text := range all {
		for what, s := range secrets {
			if strings.Contains(text, s) || strings.Contains(text, inJSON(s)) || strings.Contains(text, inJSON(inJSON(s))) || strings.Contains(clitest.Unfolded(text), s) {
				t.Errorf("%s shows the secret %s:\n%s", where, what, text)
			}
		}
	}
	examineIn(t, c, dir, "--bundle", name).Want(t, base.ExitMisused, name+" already exists")
	examineIn(t, c, dir, "--bundle", filepath.Join(dir, "nowhere", "b")).Want(t, base.ExitFailed, "no such file or directory")
}

// TestDoctorWaitsForCoordinatorsOfNewCluster: it has none until its topic of offsets is there.
func TestDoctorWaitsForCoordinatorsOfNewCluster(t *testing.T) {
	c := testkafka.Start(t, one("hook", 1))
	if c.Real() {
		t.Skip("kfake plays the new cluster")
	}
	dir := files(t, c, fmt.Sprintf("  hook: {webhook: {url: %q}, partitions: 1}\n", webhooktest.Start(t, "", nil).URL), fmt.Sprintf(every, "hook"))
	t.Setenv("NOTIFIER_HTTP_LISTEN", "127.0.0.1:1")
	h := c.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Err: kerr.CoordinatorNotAvailable, Count: -1})
	soon := time.AfterFunc(2500*time.Millisecond, h.Remove)
	defer soon.Stop()
	examineIn(t, c, dir).Want(t, base.ExitDone, "0 failed").Contains(t, "ok group "+c.Group+": new", "ok version: supports what the notifier needs, but is no release of Apache Kafka",
		"skipped brokers' clock: the brokers' time is unknown: they describe no metadata quorum")
}

package dlq_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/cli"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// hostile returns records that are not what a notifier writes, made of one
// that is.
func hostile(t *testing.T, c *testkafka.Cluster) []*kgo.Record {
	clitest.WriteEntries(t, c, clitest.Refused(1, "order-rejected", "risk-hook"))
	var good *kgo.Record
	for _, r := range records(t, c) {
		good = r
	}
	var list []*kgo.Record
	add := func(key string, change func(*kgo.Record)) {
		r := &kgo.Record{Topic: good.Topic, Key: []byte(key), Value: good.Value, Headers: append([]kgo.RecordHeader{}, good.Headers...)}
		change(r)
		list = append(list, r)
	}
	set := func(name string, value []byte) func(*kgo.Record) {
		return func(r *kgo.Record) {
			for i := range r.Headers {
				if r.Headers[i].Key == name {
					r.Headers[i].Value = value
					return
				}
			}
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: value})
		}
	}
	add("nothing", func(r *kgo.Record) { r.Headers, r.Value = nil, []byte{} })
	add("foreign", func(r *kgo.Record) { r.Headers, r.Value = nil, []byte("\x1b[2J\x07bell\x9b31m\u202e") })
	add("version-9", set("notifier.version", []byte("9")))
	add("version-null", set("notifier.version", nil))
	add("headers-none", func(r *kgo.Record) { r.Headers = r.Headers[1:] })
	add("headers-many", set("notifier.original-headers", []byte("99999999999999999999")))
	add("headers-minus", set("notifier.original-headers", []byte("-1")))
	for _, name := range []string{"source-partition", "source-offset", "source-timestamp", "attempts", "replays", "first-failed", "last-failed", "state", "reason", "cause", "checksum", "alert", "from", "done"} {
		add("garbage-"+name, set("notifier."+name, []byte("\x1b]0;x\x07 no such thing \xff")))
		add("null-"+name, set("notifier."+name, nil))
	}
	add("number-huge", set("notifier.attempts", []byte(strings.Repeat("9", 1000))))
	add("number-minus", set("notifier.replays", []byte("-5")))
	add("time-far", set("notifier.last-failed", []byte("9999-12-31T23:59:59-23:00")))
	add("time-zero", set("notifier.first-failed", []byte("0001-01-01T00:00:00Z")))
	add("alert-array", set("notifier.alert", []byte(`[1,2]`)))
	add("alert-deep", set("notifier.alert", []byte(strings.Repeat("[", 100_000))))
	add("alert-empty", set("notifier.alert", []byte(`{}`)))
	add("alert-text", set("notifier.alert", []byte(`{"rule":"\u001b[31mred","title":["\u0007",{"v":"\u202e"}],"fields":[{"label":"\n","value":[{"v":"\r"}]}]}`)))
	add("value-other", func(r *kgo.Record) { r.Value = []byte("other") })
	add("header-hidden", func(r *kgo.Record) {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: "n\u202e\u3164\u009b", Value: []byte("v\x1b]0;title\x07\U000e0041\ufe0f\u200d\u2028")})
	})
	add("header-bytes", func(r *kgo.Record) {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: "k\x9b31m", Value: []byte("\x9b31m")})
	})
	add("header-huge", set("h", bytes.Repeat([]byte("x"), 900_000)))
	add("detail-huge", set("notifier.detail", bytes.Repeat([]byte("\x1b"), 900_000)))
	add("fingerprint-odd", set("notifier.fingerprint", []byte("\x1b[1m$(reboot)")))
	add("edited", set("notifier.edited-by", []byte("\x1b[1mme\nroot")))
	add("pointer", set("notifier.pointer", nil))
	add("", func(*kgo.Record) {})
	add("\x00\xff\xfe", func(*kgo.Record) {})
	add("\x1b[31m", func(*kgo.Record) {})
	add("-m", func(r *kgo.Record) { r.Headers = nil })
	add("a b'; $(reboot) #", func(r *kgo.Record) { r.Headers = nil })
	add("`reboot`'", func(r *kgo.Record) { r.Headers = nil })
	add(strings.Repeat("k", 200_000), func(r *kgo.Record) { r.Headers = nil })
	add(strings.Repeat("\xff", 200_000), func(*kgo.Record) {})
	return list
}

// harmless fails where an answer would move the cursor, ring a bell or reorder
// text.
func harmless(t *testing.T, what, text string) {
	t.Helper()
	for _, r := range text {
		if r != '\n' && alert.Visible(string(r)) != string(r) {
			t.Errorf("%s prints %U: %.200q", what, r, text)
			return
		}
	}
}

func TestHostileEntriesAreShownAndCanBeDiscarded(t *testing.T) {
	c := testkafka.Start(t, nil)
	list := hostile(t, c)
	c.Produce(list...)
	c.Produce(&kgo.Record{Topic: list[0].Topic, Value: []byte("{}"), Key: []byte("tomb")}, &kgo.Record{Topic: list[0].Topic, Key: []byte("tomb"), Headers: []kgo.RecordHeader{
		{Key: "notifier.outcome", Value: []byte("\xff")}, {Key: "notifier.by", Value: []byte("\x1b[1m")}, {Key: "notifier.at", Value: []byte("soon")}, {Key: "notifier.comment", Value: bytes.Repeat([]byte("\x07"), 100_000)},
	}})
	n := len(list) + 1
	a := command(t, c, "dlq", "list").Want(t, base.ExitDone, "malformed")
	harmless(t, "list", a.Out+a.Err)
	if rows := strings.Count(a.Out, "\n"); rows != n+1 {
		t.Errorf("%d rows, want %d", rows, n+1)
	}
	all := command(t, c, "dlq", "list", "-o", "json", "--state", "all").Want(t, base.ExitDone).Objects(t)
	if len(all) != n+1 {
		t.Errorf("%d objects, want %d", len(all), n+1)
	}
	harmless(t, "list -o json", command(t, c, "dlq", "list", "-o", "json", "--state", "all").Out)
	a = command(t, c, "dlq", "stats").Want(t, base.ExitDone, "malformed")
	harmless(t, "stats", a.Out+a.Err)
	command(t, c, "dlq", "stats", "-o", "json").Want(t, base.ExitDone)
	for _, o := range all {
		id := o["id"].(string)
		a := command(t, c, "dlq", "show", "--", id)
		if a.Want(t, base.ExitDone); len(a.Out) > 20_000 {
			t.Errorf("show %.20s prints %d bytes", id, len(a.Out))
		}
		harmless(t, "show "+id[:min(20, len(id))], a.Out+a.Err)
		j := command(t, c, "dlq", "show", "-o", "json", "--", id).Want(t, base.ExitDone)
		j.Objects(t)
		harmless(t, "show -o json "+id[:min(20, len(id))], j.Out)
	}
	if a := command(t, c, "dlq", "show", "--", "-m"); !strings.Contains(a.Out, `dlq discard -m "why" -- -m`) {
		t.Error(a.Out)
	}
	if a := command(t, c, "dlq", "show", "`reboot`'"); !strings.Contains(a.Out, ` -m "why" '`+"`reboot`'\\''"+"'\n") {
		t.Error(a.Out)
	}
	file := filepath.Join(t.TempDir(), "export")
	command(t, c, "dlq", "export", "-f", file, "--state", "all").Want(t, base.ExitDone, fmt.Sprint(n+1, " dead letters exported"))
	x := command(t, c, "dlq", "export")
	for line := range strings.Lines(x.Out) {
		var doc struct{ Record *dlq.Transfer }
		if err := json.Unmarshal([]byte(line), &doc); err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			if bytes.Equal(r.Key, doc.Record.Key) && !sameRecord(doc.Record.Record(), r) {
				t.Errorf("%.20q is exported as another record", r.Key)
			}
		}
	}
	a = command(t, c, "dlq", "import", "--dry-run", file)
	harmless(t, "import", a.Out+a.Err)
	c.Group += "-other"
	c.Make(c.Shapes(nil)...)
	a = command(t, c, "dlq", "import", "--yes", file).Want(t, base.ExitFailed, "it is malformed")
	harmless(t, "import", a.Out+a.Err)
	for _, e := range clitest.DeadLetters(t, c) {
		if e.State == dlq.Malformed {
			t.Errorf("%.20s was imported", e.ID)
		}
	}
	c.Group = strings.TrimSuffix(c.Group, "-other")
	command(t, c, "dlq", "discard", "-m", "odd", "--yes", "--", "0x00fffe", "-m", "garbage-st").Want(t, base.ExitDone, "3 dead letters discarded")
	a = command(t, c, "dlq", "discard", "-m", "odd", "--yes", "--all").Want(t, base.ExitDone, fmt.Sprint(n-3, " dead letters discarded"))
	harmless(t, "discard", a.Out+a.Err)
	if left := len(clitest.DeadLetters(t, c, topics.TradeExecutions)); left != 0 {
		t.Errorf("%d are left", left)
	}
}

// TestPayloadIsEscapedOnTerminal, and elsewhere it is byte for byte.
func TestPayloadIsEscapedOnTerminal(t *testing.T) {
	c := testkafka.Start(t, nil)
	for i, value := range []string{"{\"a\":\"\x1b[2J\u202e\u009b\U000e0041\"}\r\n", "\x9b2J\x00bytes", "{\"plain\": true}\n"} {
		e := clitest.Refused(i+1, "order-rejected", "risk-hook")
		e.Envelope.Source.Value = []byte(value)
		clitest.WriteEntries(t, c, e)
		args := []string{"dlq", "show", e.ID, "--payload"}
		if a := command(t, c, args...).Want(t, base.ExitDone); a.Out != value || a.Err != "" {
			t.Errorf("through a pipe: %q, %s", a.Out, a.Err)
		}
		term, out := clitest.OpenTerminal(t)
		errs := clitest.NewLines()
		if code := cli.Run(t.Context(), append(args, "--brokers", c.Brokers[0], "--group", c.Group), base.Streams{In: strings.NewReader(""), Out: out, Err: errs}); code != base.ExitDone {
			t.Fatalf("%d: %s", code, errs)
		}
		want := []string{"{\"a\":\"⟨U+001B⟩[2J⟨U+202E⟩⟨U+009B⟩⟨U+E0041⟩\"}⟨U+000D⟩", "|.2J.bytes|", "{\"plain\": true}"}[i]
		testkafka.Eventually(t, 10*time.Second, "it is shown", func() bool { return strings.HasSuffix(term.Screen.String(), want+"\r\n") })
		harmless(t, "--payload", strings.ReplaceAll(term.Screen.String(), "\r\n", "\n"))
		if message := errs.String(); strings.Contains(message, "escaped for the terminal") != (i < 2) {
			t.Errorf("%q: got %q", value, message)
		}
	}
}

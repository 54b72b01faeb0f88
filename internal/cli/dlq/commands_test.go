package dlq_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/cli"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

func values(objects []map[string]any, name string) []string {
	var list []string
	for _, o := range objects {
		list = append(list, fmt.Sprint(o[name]))
	}
	return list
}

// askFor writes a request to send an entry again, which nobody settles.
func askFor(t testing.TB, c *testkafka.Cluster, id string) {
	t.Helper()
	e, err := replay.Find(t.Context(), dlq.NewReader(c.Client(), c.Group), id)
	if err != nil {
		t.Fatal(err)
	}
	q := replay.Request{Entry: e.ID, Source: topics.Name(e.Envelope.Source.Topic), Version: e.Offset, Channel: e.Envelope.Channel, By: "me@here", Run: "rp", Total: 1}
	c.Produce(q.Record(c.Group))
}

func ids(entries []*dlq.Entry) []string {
	var list []string
	for _, e := range entries {
		list = append(list, e.ID)
	}
	return list
}

func TestDeadLettersAreListedNewestFirstAndFiltered(t *testing.T) {
	c := testkafka.Start(t, nil)
	command(t, c, "dlq", "list").Want(t, base.ExitDone, "no dead letters")
	command(t, c, "dlq", "stats").Want(t, base.ExitDone, "no dead letters")
	all := clitest.Mixed()
	clitest.WriteEntries(t, c, all...)
	askFor(t, c, all[4].ID)
	newestFirst := ids(all)
	slices.Reverse(newestFirst)
	a := command(t, c, "dlq", "list", "-o", "json").Want(t, base.ExitDone)
	if got := values(a.Objects(t), "id"); !slices.Equal(got, newestFirst) {
		t.Errorf("listed %v, want %v", got, newestFirst)
	}
	for args, want := range map[string][]int{
		"--reason refused":                       {6, 5, 4, 3},
		"--reason refused --limit 2":             {6, 5},
		"--reason refused,ambiguous":             {7, 6, 5, 4, 3},
		"--scope recipient":                      {8},
		"--cause truncated":                      {2, 1, 0},
		"--topic portfolio-updates":              {1},
		"--rule drawdown":                        {7},
		"--channel desk-mail":                    {8, 7},
		"--key ses-0004":                         {3},
		"--state quarantined":                    {6},
		"--state waiting":                        {4},
		"--state open --channel risk-hook":       {5, 3},
		"--since 2026-11-23T14:39:05Z":           {8, 7},
		"--until 2026-11-23T14:32:05Z":           {0},
		"--state resolved":                       nil,
		"--fingerprint " + printOf(t, c, all[5]): {6, 5, 4, 3},
		all[2].ID + " " + all[0].ID[:12]:         {2, 0},
	} {
		var list []string
		for _, i := range want {
			list = append(list, all[i].ID)
		}
		a := command(t, c, append([]string{"dlq", "list", "-o", "json"}, strings.Fields(args)...)...).Want(t, base.ExitDone)
		if got := values(a.Objects(t), "id"); !slices.Equal(got, list) {
			t.Errorf("%s: %v, want %v", args, got, list)
		}
	}
	command(t, c, "dlq", "list", "--rule", "nothing").Want(t, base.ExitDone, "these filters match none of 9 dead letters")
	command(t, c, "dlq", "list", "--cause", "trunkated").Want(t, base.ExitDone, "no cause trunkated, did you mean truncated?")
	command(t, c, "dlq", "list", "re_nothing").Want(t, base.ExitFailed, "no dead letter re_nothing")
	command(t, c, "dlq", "list", "dl_", "zz").Want(t, base.ExitFailed, "dl_ begins the ids of 6 dead letters", "no dead letter zz")
	text := command(t, c, "dlq", "list").Want(t, base.ExitDone, "waiting", "quarantined", "show one: notifier --brokers "+c.Brokers[0]+" --group "+c.Group+" dlq show dl_")
	for line := range strings.Lines(text.Out) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 100 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// printOf returns an entry's fingerprint as it was written.
func printOf(t testing.TB, c *testkafka.Cluster, e *dlq.Entry) string {
	t.Helper()
	found, err := replay.Find(t.Context(), dlq.NewReader(c.Client(), c.Group), e.ID)
	if err != nil {
		t.Fatal(err)
	}
	return found.Fingerprint()
}

// TestTheObjectsOfAListAreAContract holds the names and their order.
func TestTheObjectsOfAListAreAContract(t *testing.T) {
	c := testkafka.Start(t, nil)
	e := clitest.Mixed()[8]
	e.Envelope.Source.Key, e.Delivered = []byte{0xff}, []string{"desk@example.com"}
	clitest.WriteEntries(t, c, e)
	const want = `{"id":"%s","topic":"trade-executions","partition":3,"offset":109,"key":null,"key_base64":"/w==","rule":"forward-test-diverges","channel":"desk-mail",` +
		`"recipients":["nobody@example.com"],"delivered_to":["desk@example.com"],"severity":"warning","reason":"recipient","scope":"recipient","cause":"recipient-refused","fingerprint":"%s",` +
		`"detail":"550 5.1.1 \"nobody@example.com\": no such user","attempts":2,"first_failed":"2026-11-23T14:40:05Z","last_failed":"2026-11-23T14:40:05Z","state":"open","replays":0,"size":53}` + "\n"
	a := command(t, c, "dlq", "list", "-o", "json").Want(t, base.ExitDone)
	if w := fmt.Sprintf(want, e.ID, printOf(t, c, e)); a.Out != w {
		t.Errorf("got\n%s\nwant\n%s", a.Out, w)
	}
}

func TestTheFirstPageDecidesTheWidths(t *testing.T) {
	c := testkafka.Start(t, nil)
	var all []*dlq.Entry
	for n := range 60 {
		e := clitest.Undecodable(n, topics.TradeExecutions)
		if n < 10 { // the oldest come last, in the widths of the others
			e.Envelope.Source.Key = bytes.Repeat([]byte("k"), 500)
		}
		all = append(all, e)
	}
	clitest.WriteEntries(t, c, all...)
	a := command(t, c, "dlq", "list").Want(t, base.ExitDone, "60 dead letters; group them by cause: notifier --brokers ", " dlq stats")
	rows := strings.Split(strings.TrimSpace(a.Out), "\n")
	if len(rows) != 61 {
		t.Fatalf("%d rows", len(rows))
	}
	column := strings.Index(rows[0], "STATE")
	for i, row := range rows[1:] {
		if id, _, _ := strings.Cut(row, " "); id != all[len(all)-1-i].ID[:12] {
			t.Errorf("row %d begins with %s", i, id)
		}
		if at := len([]rune(row[:strings.LastIndex(row, "open")])); at != column {
			t.Errorf("row %d is shifted:\n%s\n%s", i, rows[0], row)
		}
	}
}

func TestStatsGroupByFingerprint(t *testing.T) {
	c := testkafka.Start(t, nil)
	all := clitest.Mixed()
	clitest.WriteEntries(t, c, all...)
	askFor(t, c, all[4].ID)
	a := command(t, c, "dlq", "stats").Want(t, base.ExitDone,
		"9 dead letters: 7 open, 1 waiting, 1 quarantined", "7 of trade-executions, 1 of portfolio-updates, 1 of forward-test-events",
		"1 waiting, 1 quarantined", "dlq list --fingerprint "+printOf(t, c, all[8]))
	if n := strings.Count(a.Out, " new"); n != 1 {
		t.Errorf("%d groups are new", n)
	}
	groups := command(t, c, "dlq", "stats", "-o", "json").Want(t, base.ExitDone).Objects(t)
	if got, want := values(groups, "count"), []string{"4", "3", "1", "1"}; !slices.Equal(got, want) {
		t.Errorf("counts %v, want %v", got, want)
	}
	g := groups[0]
	for name, want := range map[string]any{
		"waiting": 1.0, "quarantined": 1.0, "reason": "refused", "cause": "payload-refused", "scope": "message", "channel": "risk-hook",
		"first_seen": "2026-11-23T14:35:05Z", "last_seen": "2026-11-23T14:38:05Z", "oldest_open": "2026-11-23T14:35:05Z", "example_id": all[6].ID, "detail": all[6].Detail, "newest": false,
	} {
		if g[name] != want {
			t.Errorf("%s is %v, want %v", name, g[name], want)
		}
	}
	if got := fmt.Sprint(g["rules"]); got != "[order-rejected]" {
		t.Errorf("rules are %s", got)
	}
	command(t, c, "dlq", "stats", "--reason", "refused").Want(t, base.ExitDone, "4 dead letters: 2 open, 1 waiting, 1 quarantined")
}

func TestRenamedChannelIsOneGroup(t *testing.T) {
	c := testkafka.Start(t, nil)
	for i, rule := range []string{"order-rejected", "drawdown", "large-fill"} {
		e := clitest.Refused(i, rule, "desk-mail")
		e.Reason, e.Scope, e.Cause, e.Detail = outcome.NoLongerRouted, outcome.Message, outcome.Unrouted, "channel desk-mail is no longer configured"
		clitest.WriteEntries(t, c, e)
	}
	groups := command(t, c, "dlq", "stats", "-o", "json").Want(t, base.ExitDone).Objects(t)
	if len(groups) != 1 || fmt.Sprint(groups[0]["rules"]) != "[drawdown large-fill order-rejected]" {
		t.Errorf("%v", groups)
	}
}

func TestShowPrintsAllFields(t *testing.T) {
	c := testkafka.Start(t, nil)
	all := clitest.Mixed()
	hex := clitest.Undecodable(20, topics.TradeExecutions)
	hex.Envelope.Source.Value = []byte{0x80, 0x04, 0x95, 0x00}
	clitest.WriteEntries(t, c, append(all, hex)...)
	askFor(t, c, all[4].ID)
	show := func(e *dlq.Entry, texts ...string) {
		t.Helper()
		command(t, c, "dlq", "show", e.ID).Want(t, base.ExitDone, append(texts, e.ID)...)
	}
	show(all[0], "not an event", `{"event_type":"order.rej`, "header       source: oms", "matches the event against the rules again", "dlq replay "+all[0].ID[:12])
	show(all[3], `  "symbol": "NVDA",`, "warning: Rejected: NVDA buy 400", "strategy: mean-rev-7", "alert key ACC-1007/R103", "sends the original alert to risk-hook", "trade-executions/4@104 of 2026-11-23 14:31:05 UTC, key ses-0004")
	show(all[4], "waiting", "requested: the daemon")
	show(all[6], "quarantined, replayed 3 times", "needs --force", "dlq replay --force "+all[6].ID[:12])
	show(all[7], "needs --include-ambiguous")
	show(all[8], "recipients   nobody@example.com", "attempts     2, from 2026-11-23")
	show(hex, "value (4 bytes):\n00000000  80 04 95 00")
	if a := command(t, c, "dlq", "show", all[3].ID[:12], "--payload").Want(t, base.ExitDone); a.Out != string(all[3].Envelope.Source.Value) {
		t.Errorf("the payload is %q", a.Out)
	}
	o := command(t, c, "dlq", "show", all[3].ID, "-o", "json").Want(t, base.ExitDone).Objects(t)[0]
	if v, _ := o["value"].(map[string]any); v["symbol"] != "NVDA" || fmt.Sprint(o["headers"]) != "[map[name:source value:oms]]" || o["alert"].(map[string]any)["rule"] != "order-rejected" {
		t.Errorf("%v", o)
	}
	o = command(t, c, "dlq", "show", hex.ID, "-o", "json").Want(t, base.ExitDone).Objects(t)[0]
	if o["value_base64"] != "gASVAA==" || o["value"] != nil {
		t.Errorf("%v", o)
	}
}

func TestDiscardNeedsComment(t *testing.T) {
	c := testkafka.Start(t, nil)
	all := clitest.Mixed()
	clitest.WriteEntries(t, c, all...)
	askFor(t, c, all[4].ID)
	command(t, c, "dlq", "discard", "--all", "--yes").Want(t, base.ExitMisused, "a comment is required")
	command(t, c, "dlq", "discard", "-m", "x", "--yes").Want(t, base.ExitMisused, "nothing selected to discard", "--all")
	command(t, c, "dlq", "discard", "-m", "x", "--all", "--reason", "refused", "--yes").Want(t, base.ExitMisused, "use either --all or ids and filters")
	command(t, c, "dlq", "discard", "-m", "x", "--reason", "refused").Want(t, base.ExitMisused, "--dry-run", "--yes")
	command(t, c, "dlq", "discard", "-m", "x", "--rule", "nothing", "--yes").Want(t, base.ExitFailed, "match none of 9 dead letters")
	command(t, c, "dlq", "discard", "-m", "x", all[4].ID, "--yes").Want(t, base.ExitFailed, "skipped: 1 waits for a replay", "no dead letter to discard")
	command(t, c, "dlq", "discard", "-m", "x", "--reason", "refused", "--dry-run").Want(t, base.ExitDone, "3 ", "payload-refused", "1 waits for a replay", "nothing was done")
	if n := len(clitest.DeadLetters(t, c)); n != 9 {
		t.Fatalf("%d are left after a dry run", n)
	}
	command(t, c, "dlq", "discard", "-m", "the order service was wrong", "--reason", "refused", "--yes").Want(t, base.ExitDone, "3 dead letters discarded")
	command(t, c, "dlq", "discard", "-m", "x", all[3].ID, "--yes").Want(t, base.ExitFailed, "1 is already closed")
	command(t, c, "dlq", "show", all[3].ID).Want(t, base.ExitDone, "discarded", base.User()+": the order service was wrong", "it is closed")
	o := command(t, c, "dlq", "list", "-o", "json", "--state", "discarded").Want(t, base.ExitDone).Objects(t)
	if len(o) != 3 || o[0]["closed_by"] != base.User() || o[0]["comment"] != "the order service was wrong" || o[0]["state"] != "discarded" || o[0]["closed_at"] == nil || o[0]["reason"] != "refused" {
		t.Errorf("%v", o)
	}
	a := command(t, c, "dlq", "discard", "-m", "x", "--all", "--force", "--yes", "-o", "json").Want(t, base.ExitDone)
	if a.Objects(t)[0]["discarded"] != 6.0 {
		t.Error(a.Out)
	}
	command(t, c, "dlq", "list").Want(t, base.ExitDone, "no dead letters")
	command(t, c, "dlq", "list", "--state", "all").Want(t, base.ExitDone, "discarded", "dl_")
}

// TestDiscardKeepsNewerVersions: an entry failed again between
// reading and closing. Its tombstone follows, so compaction would delete it.
func TestDiscardKeepsNewerVersions(t *testing.T) {
	c := testkafka.Start(t, nil)
	if c.Real() {
		t.Log("a real broker cannot be told to write something in between")
		return
	}
	all := clitest.Mixed()
	clitest.WriteEntries(t, c, all...)
	again := all[3].Again("", 3)
	again.Detail = "refused once more"
	var came atomic.Bool
	c.Fake().ControlKey(int16(kmsg.InitProducerID), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.Fake().KeepControl()
		if !came.Swap(true) {
			c.Fake().SleepControl(func() { clitest.WriteEntries(t, c, again) })
		}
		return nil, nil, false
	})
	o := command(t, c, "dlq", "discard", "-m", "x", "--reason", "refused", "--yes", "-o", "json").Want(t, base.ExitDone).Objects(t)
	if len(o) != 1 || o[0]["discarded"] != 3.0 || o[0]["failed_again"] != 1.0 {
		t.Errorf("%v", o)
	}
	read := func() *dlq.Entry {
		e, err := replay.Find(t.Context(), dlq.NewReader(c.Client(), c.Group), again.ID)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	if e := read(); e.State != dlq.Open || e.Detail != again.Detail {
		t.Errorf("it is %s: %s", e.State, e.Detail)
	}
	spans, err := dlq.NewReader(c.Client(), c.Group).Ends(t.Context(), []topics.Name{topics.Name(again.Envelope.Source.Topic)})
	if err != nil || read().Offset != spans[0].End-1 {
		t.Errorf("%v, it stands at %d of %v", err, read().Offset, spans)
	}
}

func TestExportImportsIntoOtherGroup(t *testing.T) {
	c := testkafka.Start(t, nil)
	all := clitest.Mixed()
	odd := clitest.Undecodable(30, topics.PortfolioUpdates)
	odd.Envelope.Source.Key, odd.Envelope.Source.Value = []byte{}, nil
	odd.Envelope.Source.Headers = []kgo.RecordHeader{{Key: "a\xff", Value: nil}, {Key: "a\xff", Value: []byte{}}, {Key: "", Value: []byte{0xfe}}, {Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte("2")}}
	all = append(all, odd)
	clitest.WriteEntries(t, c, all...)
	askFor(t, c, all[4].ID)
	c.Produce(&kgo.Record{Topic: topics.DeadLetter(c.Group, topics.TradeExecutions), Key: []byte("somebody's"), Value: []byte("else")})
	before := records(t, c)
	file := filepath.Join(t.TempDir(), "letters.jsonl")
	command(t, c, "dlq", "export", "-f", file).Want(t, base.ExitDone, "11 dead letters exported")
	a := command(t, c, "dlq", "export").Want(t, base.ExitDone)

	c.Group += "-other"
	c.Make(c.Shapes(nil)...)
	command(t, c, "dlq", "import", file).Want(t, base.ExitMisused, "--yes")
	command(t, c, "dlq", "import", file, "--dry-run").Want(t, base.ExitFailed, "nothing was done", "letters.jsonl:1: it is malformed: not a notifier record", "1 line was refused")
	if n := len(clitest.DeadLetters(t, c)); n != 0 {
		t.Fatalf("a dry run imported %d", n)
	}
	command(t, c, "dlq", "import", file, "--yes").Want(t, base.ExitFailed, "10 dead letters imported")
	command(t, c, "dlq", "list", "--state", "waiting").Want(t, base.ExitDone, "match none of 10")
	after := records(t, c)
	for id, r := range before {
		if id == "somebody's" {
			continue
		}
		if got := after[id]; got == nil || !sameRecord(got, r) {
			t.Errorf("%s came as %+v\nwas %+v", id, got, r)
		}
	}
	command(t, c, "dlq", "import", file, "--yes").Want(t, base.ExitFailed, "skipped: 10 are already here", "nothing to import")
	command(t, c, "dlq", "discard", "-m", "x", all[0].ID, "--yes").Want(t, base.ExitDone)
	commandWith(t, c, a.Out+a.Out, "dlq", "import", "-", "--yes").Want(t, base.ExitFailed, "1 dead letter imported", "skipped: 19 are already here")

	tampered := strings.Replace(a.Out, `"value_base64":"eyJldmVudF90eXBlIjoib3JkZXIucmVq`, `"value_base64":"eyJldmVudF90eXBlIjoib3JkZXIucmVr`, 1)
	bad := tampered + "nonsense\n{}\n" + `{"format":"notifier-dlq/9"}` + "\n\n" + `{"format":"notifier-dlq/1","id":"x","record":null}` + "\n"
	commandWith(t, c, bad, "dlq", "import", "-", "--dry-run").Want(t, base.ExitFailed,
		"checksum mismatch", "-:12: not a line of 'notifier dlq export': ", "-:13: not a line", `-:14: its format is "notifier-dlq/9"`, "-:16: it has no record", "6 lines were refused")
	command(t, c, "dlq", "import", "nothing.jsonl", "--yes").Want(t, base.ExitFailed, "cannot read nothing.jsonl: no such file")
}

// records returns what the dead-letter topics hold, by key.
func records(t testing.TB, c *testkafka.Cluster) map[string]*kgo.Record {
	t.Helper()
	all := make(map[string]*kgo.Record)
	err := dlq.NewReader(c.Client(), c.Group).Each(t.Context(), dlq.Query{}, func(e *dlq.Entry) bool {
		all[e.ID] = e.Record
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func sameRecord(a, b *kgo.Record) bool {
	same := func(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }
	return same(a.Key, b.Key) && same(a.Value, b.Value) && slices.EqualFunc(a.Headers, b.Headers, func(a, b kgo.RecordHeader) bool {
		return a.Key == b.Key && same(a.Value, b.Value)
	})
}

func TestWatchShowsChanges(t *testing.T) {
	c := testkafka.Start(t, nil)
	old := clitest.Refused(1, "order-rejected", "risk-hook")
	clitest.WriteEntries(t, c, old)
	watch := func(args ...string) (*clitest.Lines, func() int) {
		ctx, cancel := context.WithCancelCause(context.Background())
		out, code := clitest.NewLines(), make(chan int, 1)
		go func() {
			code <- cli.Run(ctx, append([]string{"dlq", "watch", "--brokers", c.Brokers[0], "--group", c.Group}, args...), base.Streams{In: strings.NewReader(""), Out: out, Err: out})
		}()
		return out, func() int {
			cancel(base.ErrSignal)
			return <-code
		}
	}
	text, stop := watch()
	text.Wait(t, 20*time.Second, "1 open now")
	objects, stopJSON := watch("-o", "json", "--channel", "risk-hook", "--limit", "3")
	// The second watch says nothing before something happens: what happens until
	// it watches may not be seen by it.
	n := 100
	testkafka.Eventually(t, 20*time.Second, "the second watches", func() bool {
		n++
		clitest.WriteEntries(t, c, clitest.Refused(n, "order-rejected", "risk-hook"))
		return strings.Contains(objects.String(), "opened")
	})
	clitest.WriteEntries(t, c, clitest.Undecodable(3, topics.PortfolioUpdates))
	again := old.Again("", 1)
	again.Detail = "still \x1b[31mrefused"
	clitest.WriteEntries(t, c, again)
	text.Wait(t, 20*time.Second, "opened", "portfolio-updates/3@103", "not JSON at byte 23", "dlq show re_")
	text.Wait(t, 20*time.Second, "reopened", "quarantined after 1 replay: st")
	command(t, c, "dlq", "discard", "-m", "enough of it", "--all", "--yes").Want(t, base.ExitDone)
	text.Wait(t, 20*time.Second, "discarded", base.User()+": enough of it", old.ID[:12])
	if code := stop(); code != base.ExitDone {
		t.Errorf("stopped with %d", code)
	}
	testkafka.Eventually(t, 20*time.Second, "the second has shown three", func() bool { return strings.Count(objects.String(), "\n") >= 3 })
	if code := stopJSON(); code != base.ExitDone {
		t.Errorf("stopped with %d", code)
	}
	if s := objects.String(); strings.Contains(s, "portfolio") || !strings.Contains(s, `{"event":"opened","id":"dl_`) {
		t.Error(s)
	}
}

func TestMisuseAndFailureHaveCodesOfTheirOwn(t *testing.T) {
	for args, want := range map[string]int{
		"dlq list --reason undecodabl": base.ExitMisused, "dlq stats --state x": base.ExitMisused, "dlq export --since x": base.ExitMisused, "dlq watch --scope x": base.ExitMisused,
		"dlq show": base.ExitMisused, "dlq discard --all --yes": base.ExitMisused, "dlq discard -m x --all": base.ExitMisused, "dlq import": base.ExitMisused,
		"dlq import - --yes=false": base.ExitMisused, "dlq discard -m x --yes": base.ExitMisused, "dlq import no.such.file --yes": base.ExitFailed,
	} {
		code := cli.Run(t.Context(), append(strings.Fields(args), "--brokers", "127.0.0.1:1"), base.Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard})
		if code != want {
			t.Errorf("%s: exit %d, want %d", args, code, want)
		}
	}
}

func TestUnwrittenListIsFailure(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no /dev/full here")
	}
	defer full.Close()
	c := testkafka.Start(t, nil)
	clitest.WriteEntries(t, c, clitest.Mixed()...)
	for _, args := range []string{"dlq list", "dlq list -o json", "dlq stats", "dlq stats -o json", "dlq export", "dlq replay --all --dry-run", "topics create --dry-run"} {
		var words bytes.Buffer
		all := append([]string{"--brokers", c.Brokers[0], "--group", c.Group}, strings.Fields(args)...)
		if got := cli.Run(t.Context(), all, base.Streams{In: strings.NewReader(""), Out: full, Err: &words}); got != base.ExitFailed || !strings.Contains(words.String(), "no space left on device") {
			t.Errorf("notifier %s: exit %d, want %d\n%s", args, got, base.ExitFailed, words.String())
		}
	}
}

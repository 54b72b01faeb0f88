package alerts_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/cli"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/testkafka"
)

// TestMain sets the local zone, in which the commands print times.
func TestMain(m *testing.M) {
	time.Local = time.FixedZone("CET", 3600)
	os.Exit(m.Run())
}

func command(t testing.TB, c *testkafka.Cluster, args ...string) clitest.Answer {
	t.Helper()
	return clitest.Main(cli.Run).On(t, c, args...)
}

// logging is a log that a test writes to.
func logging(t *testing.T) (*testkafka.Cluster, func(...*deliverylog.Record)) {
	t.Helper()
	c := testkafka.Start(t, nil)
	w := deliverylog.NewWriter(deliverylog.Params{Client: c.Client(deliverylog.Options()...), Group: c.Group, ClientID: "notifier", Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = w.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return c, func(records ...*deliverylog.Record) {
		for _, r := range records {
			kept := make(chan error, 1)
			w.Keep(r, func(err error) { kept <- err })
			if err := <-kept; err != nil {
				t.Fatal(err)
			}
		}
	}
}

var at = time.Date(2026, 11, 23, 14, 31, 5, 0, time.UTC)

// margin is a delivery of an alert of margin-call.
func margin(n int, account, to string, decision deliverylog.Decision, change ...func(*deliverylog.Record)) *deliverylog.Record {
	id := fmt.Sprintf("al_%d%s", n, strings.Repeat("a", 25))
	r := deliverylog.New(&envelope.Envelope{
		Source:   envelope.Source{Topic: "portfolio-updates", Partition: 3, Offset: int64(918273 + n)},
		Delivery: alert.NewDelivery(id, to), Channel: to,
		Alert: &alert.Alert{
			ID: id, Rule: "margin-call", Severity: alert.Critical, Key: []string{account}, EventTime: at, EventID: fmt.Sprint("evt-", n), EventType: "margin.call",
			Title: alert.Text{{Text: "Margin 94 % of equity 1,204,311 on " + account}},
		},
	})
	r.Decision, r.Received, r.Outbox.Offset = decision, at.Add(time.Second), int64(n)
	if decision == deliverylog.Delivered {
		r.Attempts = []deliverylog.Attempt{{Started: at.Add(time.Second), Duration: deliverylog.Seconds(212 * time.Millisecond), Result: "ok"}}
		r.Receipt = "1772550911.004"
	}
	for _, f := range change {
		f(r)
	}
	return r
}

func refused(r *deliverylog.Record) {
	r.Reason, r.Cause, r.Detail = outcome.Refused, outcome.PayloadRefused, "risk.example.com returned 422: \x1b[31mno\nsuch account"
	for i := range 10 {
		a := deliverylog.Attempt{Started: at.Add(time.Duration(i) * time.Second), Duration: deliverylog.Seconds(time.Second), Result: "transient", Cause: outcome.Unavailable, Detail: "503"}
		if i > 2 && i < 7 {
			r.Omitted++
			continue
		}
		r.Attempts = append(r.Attempts, a)
	}
	r.Attempts[5].Result, r.Attempts[5].Cause, r.Attempts[5].Detail, r.MayBeDuplicate = "message", r.Cause, "422", true
}

func throttled(r *deliverylog.Record) {
	r.Detail = "an alert of its key, of 14:30:00 UTC, was sent; the throttle is 5 m 0 s"
}

// filled is a log with a few deliveries.
func filled(t *testing.T) *testkafka.Cluster {
	t.Helper()
	c, write := logging(t)
	write(
		margin(1, "ACC-7", "desk-slack", deliverylog.Delivered),
		margin(1, "ACC-7", "risk-hook", deliverylog.DeadLettered, refused),
		margin(2, "ACC-7", "desk-slack", deliverylog.Throttled, throttled),
		margin(3, "ACC-77", "desk-slack", deliverylog.Rerouted, func(r *deliverylog.Record) { r.To = "desk-mail" }),
		margin(4, "ACC-8", "desk-slack", "silenced"),
	)
	return c
}

// TestListAnswersWhatBecameOfAnAlert: of the margin call of ACC-7, and of no other key
// that begins alike.
func TestListAnswersWhatBecameOfAnAlert(t *testing.T) {
	c := filled(t)
	for args, want := range map[string]string{
		"--key ACC-7 --rule margin-call":   "desk-slack:delivered risk-hook:dead_lettered desk-slack:throttled",
		"--key ACC-7 --channel risk-hook":  "risk-hook:dead_lettered",
		"--decision throttled,rerouted":    "desk-slack:throttled desk-slack:rerouted",
		"--severity critical --limit 2":    "desk-slack:rerouted desk-slack:silenced",
		"--limit 100 --since 1h --rule x":  "",
		"--until 1h":                       "",
		"--since 2026-11-23T14:31:05Z":     "desk-slack:delivered risk-hook:dead_lettered desk-slack:throttled desk-slack:rerouted desk-slack:silenced",
		"--channel desk-slack --key ACC-8": "desk-slack:silenced",
	} {
		var got []string
		for _, o := range command(t, c, append([]string{"alerts", "list", "-o", "json"}, strings.Fields(args)...)...).Want(t, base.ExitDone).Objects(t) {
			got = append(got, fmt.Sprint(o["channel"], ":", o["decision"]))
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s: %s\nwant %s", args, text, want)
		}
	}
}

// TestListIsLimitedAndNamesItsLimit, but for programs, which get all.
func TestListIsLimitedAndNamesItsLimit(t *testing.T) {
	c, write := logging(t)
	for i := range 103 {
		write(margin(100+i, "ACC-7", "desk-slack", deliverylog.Delivered))
	}
	for args, want := range map[string]struct {
		rows int
		end  string
	}{
		"":            {100, "the newest 100 of 103 deliveries, --limit 0 lists all; show an alert: "},
		"--limit 2":   {2, "the newest 2 of 103 deliveries, --limit 0 lists all; show an alert: "},
		"--limit 0":   {103, "\n103 deliveries; show an alert: "},
		"--limit 200": {103, "\n103 deliveries; show an alert: "},
	} {
		a := command(t, c, append([]string{"alerts", "list"}, strings.Fields(args)...)...).Want(t, base.ExitDone)
		if n := strings.Count(a.Out, "desk-slack"); n != want.rows || !strings.Contains(a.Err, want.end) || !strings.HasPrefix(a.Out, "ENDED CET ") {
			t.Errorf("%q: %d rows, %s", args, n, a.Err)
		}
	}
	if n := len(command(t, c, "alerts", "list", "-o", "json").Want(t, base.ExitDone).Objects(t)); n != 103 {
		t.Errorf("%d objects", n)
	}
}

func TestListSaysWhenThereIsNothing(t *testing.T) {
	c := filled(t)
	a := command(t, c, "alerts", "list", "--rule", "margn-call").Want(t, base.ExitDone, "these filters match none of 5 deliveries since ")
	if a.Out != "" {
		t.Errorf("the output is %q", a.Out)
	}
	command(t, c, "alerts", "list", "--until", "2h").Want(t, base.ExitDone, "no delivery has ended since ", " until ")
	command(t, c, "alerts", "list", "--decision", "delivred").Want(t, base.ExitMisused, `--decision "delivred" is not known: did you mean delivered?`)
	command(t, c, "alerts", "list", "--since", "1h", "--until", "2h").Want(t, base.ExitMisused, "--since 1h is not before --until 2h")
	command(t, c, "alerts", "show", "al_zz").Want(t, base.ExitFailed, "no alert or delivery al_zz in the delivery log")
	command(t, c, "alerts", "show", "al_").Want(t, base.ExitMisused, `"al_" is too short`)
	c.Delete(c.Group + ".deliveries")
	for _, args := range []string{"list", "show al_1", "tail"} {
		command(t, c, append([]string{"alerts"}, strings.Fields(args)...)...).Want(t, base.ExitFailed, "topic "+c.Group+".deliveries is missing: run 'notifier --brokers "+strings.Join(c.Brokers, ",")+" --group "+c.Group+" topics create'")
	}
}

// TestShowTellsEveryChannelAndAttempt by the alert's id and by that of a delivery, and
// lets no control character through.
func TestShowTellsEveryChannelAndAttempt(t *testing.T) {
	c := filled(t)
	a := command(t, c, "alerts", "show", "al_1").Want(t, base.ExitDone)
	byDelivery := command(t, c, "alerts", "show", alert.NewDelivery("al_1"+strings.Repeat("a", 25), "risk-hook")[:10]).Want(t, base.ExitDone)
	if a.Out != byDelivery.Out {
		t.Errorf("by the id of a delivery:\n%s\nby that of the alert:\n%s", byDelivery.Out, a.Out)
	}
	a.Contains(t,
		"title critical: Margin 94 % of equity 1,204,311 on ACC-7", "rule margin-call · key ACC-7",
		"event portfolio-updates/3@918274 of 2026-11-23 15:31:05 CET · margin.call · id evt-1",
		"channel desk-slack: delivered at ", "receipt 1772550911.004", "attempt 1 15:31:06.000 CET, 212 ms: ok",
		"channel risk-hook: dead_lettered at ", "refused (payload-refused): risk.example.com returned 422: ⟨U+001B⟩[31mno⟨U+000A⟩such account",
		"may be a duplicate", "attempt 3 15:31:07.000 CET, 1.0 s: transient, unavailable: 503 … 4 attempts left out attempt 8 15:31:12.000",
		"attempt 10 15:31:14.000 CET, 1.0 s: message, payload-refused: 422", "outbox "+c.Group+".outbox.risk-hook/0@1, read at 2026-11-23 15:31:06 CET by notifier",
		"see its event kafka-console-consumer --bootstrap-server "+c.Brokers[0]+" --topic portfolio-updates --partition 3 --offset 918274 --max-messages 1",
		"dlq show dl_",
	)
	if strings.ContainsAny(a.Out, "\x1b\x07") {
		t.Errorf("a control character reaches the terminal: %q", a.Out)
	}
	command(t, c, "alerts", "show", "dl_").Want(t, base.ExitMisused)
}

// TestResolvedAlertsAreToldFromFirings by who reads the list, one alert or the tail.
func TestResolvedAlertsAreToldFromFirings(t *testing.T) {
	c, write := logging(t)
	write(margin(7, "ACC-7", "desk", deliverylog.Delivered, func(r *deliverylog.Record) { r.State = string(alert.Resolved) }))
	a := command(t, c, "alerts", "list").Want(t, base.ExitDone)
	a.Contains(t, " delivered resolved margin-call ")
	a = command(t, c, "alerts", "show", "al_7").Want(t, base.ExitDone)
	a.Contains(t, "title Resolved: Margin 94 %")
}

// TestShowTellsThatNoEventRaisedANotice: there is none that could be looked at.
func TestShowTellsThatNoEventRaisedANotice(t *testing.T) {
	c, write := logging(t)
	write(margin(7, "desk-slack", "desk-mail", deliverylog.Dropped, func(r *deliverylog.Record) {
		r.Rule, r.Event = alert.Notifier, deliverylog.Event{Topic: alert.Notifier, Time: at}
		r.Detail = "payload-refused: 552 too big"
	}))
	a := command(t, c, "alerts", "show", "al_7").Want(t, base.ExitDone)
	a.Contains(t, "event none: a notice of the notifier itself, of 2026-11-23 15:31:05 CET", "channel desk-mail: dropped at ", "552 too big", "alerts resend dl_")
	if strings.Contains(a.Out, "kafka-console-consumer") || strings.Contains(a.Out, "after the event") {
		t.Errorf("it names an event:\n%s", a.Out)
	}
}

func TestShowNamesAmbiguousIDs(t *testing.T) {
	c, write := logging(t)
	for i := range 7 {
		write(margin(10+i, "ACC-7", "desk", deliverylog.Delivered))
	}
	command(t, c, "alerts", "show", "al_1").Want(t, base.ExitFailed, "al_1 is the beginning of several ids: al_10aaa", "al_14aaa")
	command(t, c, "alerts", "show", "al_16").Want(t, base.ExitDone, "evt-16")
}

func TestCompletionOffersAlertsOfTheLog(t *testing.T) {
	c := filled(t)
	a := command(t, c, "__complete", "alerts", "show", "al_").Want(t, base.ExitDone)
	lines := strings.Split(a.Out, "\n")
	if len(lines) < 4 || !strings.HasPrefix(lines[0], "al_4aaa") || !strings.HasSuffix(lines[0], "\tmargin-call ACC-8") || strings.Count(a.Out, "al_1") != 1 {
		t.Errorf("it offers\n%s", a.Out)
	}
}

func TestTailShowsWhatEnds(t *testing.T) {
	c, write := logging(t)
	write(margin(1, "ACC-7", "desk-slack", deliverylog.Delivered))
	out, errs := clitest.NewLines(), clitest.NewLines()
	code := make(chan int, 1)
	go func() {
		args := []string{"--brokers", c.Brokers[0], "--group", c.Group, "alerts", "tail", "--channel", "risk-hook", "--limit", "2"}
		code <- cli.Run(t.Context(), args, base.Streams{In: strings.NewReader(""), Out: out, Err: errs})
	}()
	errs.Wait(t, 20*time.Second, "following the delivery log of "+c.Group)
	write(margin(2, "ACC-7", "desk-slack", deliverylog.Delivered), margin(3, "ACC-8", "risk-hook", deliverylog.DeadLettered, refused))
	out.Wait(t, 20*time.Second, "dead_lettered  critical  margin-call  ACC-8  → risk-hook  Margin 94 %", "⟨U+001B⟩[31mno⟨U+000A⟩such account")
	write(margin(4, "ACC-9", "risk-hook", deliverylog.Delivered))
	select {
	case got := <-code:
		if got != base.ExitDone || strings.Count(out.String(), "\n") != 2 || strings.Contains(out.String(), "\x1b") {
			t.Errorf("%d: %q, %s", got, out.String(), errs.String())
		}
	case <-time.After(20 * time.Second):
		t.Errorf("it does not end after two: %q", out.String())
	}
}

package channels

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/registry"
	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/plural"
)

const aboutTest = `Send one test message, marked as a test, with user, time and host: from here, through the channel's
own code and settings, in one attempt. It needs no broker and no notifier, and uses no outbox, rate
limit or breaker: it tests the channel's settings, not the daemon.

With --no-send it checks without sending: a Slack bot's token, scopes and channel; the mail server,
sender and each recipient; a webhook's name, address and certificate.`

// trial is one run of 'channels test'.
type trial struct {
	g           *base.Globals
	all, noSend bool
	severity    string
	by          string
	zone        *time.Location
}

func newTest(g *base.Globals) *cobra.Command {
	t := trial{g: g, by: base.User()}
	cmd := &cobra.Command{
		Use: "test NAME…", Short: "Send a test message, or check without sending", Long: aboutTest,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case t.all == (len(args) > 0):
				return base.Misused("%s takes channel names, or --all", cmd.CommandPath())
			case alert.Severity(t.severity).Rank() == 0:
				return base.Misused("--severity %q is not one of info, warning and critical", t.severity)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := g.Load(g.Source())
			if err != nil {
				return err
			}
			if t.all {
				args = l.Channels.Names()
			}
			t.zone = l.Rules.Zone()
			for _, name := range args {
				if l.Channels.Get(name) == nil {
					return unknownChannel(name, l.Channels.Names())
				}
			}
			if t.noSend {
				return t.verify(cmd.Context(), l, args)
			}
			return t.sendAll(cmd.Context(), l, args)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&t.all, "all", false, "all configured channels")
	f.BoolVar(&t.noSend, "no-send", false, "check without sending: name, certificate, credentials, recipients")
	f.StringVar(&t.severity, "severity", string(alert.Info), "severity of the test, which determines mentions")
	return cmd
}

// sendAll tests one channel at a time: several may share a provider's limits.
func (t *trial) sendAll(ctx context.Context, l *config.Loaded, names []string) error {
	failed := 0
	for _, name := range names {
		ok, err := t.send(ctx, name, l.Channels.Get(name))
		if err != nil {
			return err
		}
		if !ok {
			failed++
		}
		if ctx.Err() != nil {
			return base.Fail(base.ExitFailed, "interrupted")
		}
	}
	if failed > 0 {
		return base.Fail(base.ExitFailed, "%d of %s failed", failed, plural.Count(len(names), "test"))
	}
	return nil
}

// trialJSON is the JSON of a test; the names are a contract.
type trialJSON struct {
	Channel   string        `json:"channel"`
	Kind      string        `json:"kind"`
	OK        bool          `json:"ok"`
	Delivery  string        `json:"delivery"`
	ID        string        `json:"id,omitempty"` // the provider's: ts, Message-ID, dedup key
	Answer    string        `json:"answer,omitempty"`
	LatencyMS int64         `json:"latency_ms"`
	Cause     outcome.Cause `json:"cause,omitempty"`
	Detail    string        `json:"detail,omitempty"`
	Remedy    string        `json:"remedy,omitempty"`
	// Recipients are those that failed while others received it.
	Recipients []recipientJSON `json:"recipients,omitempty"`

	accepted []string
}

type recipientJSON struct {
	Recipient string        `json:"recipient"`
	Cause     outcome.Cause `json:"cause"`
	Detail    string        `json:"detail"`
	Remedy    string        `json:"remedy,omitempty"`
}

// send tests one channel and prints the result.
func (t *trial) send(ctx context.Context, name string, c *registry.Config) (ok bool, err error) {
	ch, err := c.Build(name, registry.Deps{Console: t.g.IO.Out, Redactor: t.g.Redactor})
	if err != nil {
		return false, err
	}
	defer ch.(io.Closer).Close()
	m := t.message(name)
	receipt, err := dispatch.Attempt(ctx, ch, c.Dispatch.Timeout, m)
	r := trialJSON{Channel: name, Kind: c.Kind, OK: err == nil, Delivery: m.Delivery, ID: receipt.ID, Answer: receipt.Answer, LatencyMS: time.Since(m.Now).Milliseconds(), accepted: receipt.Accepted}
	if err != nil {
		e := outcome.Classify(err)
		r.Cause, r.Detail, r.Remedy = e.Cause, e.Detail, e.Remedy()
	}
	for _, refusal := range append(slices.Clone(receipt.Refused), receipt.Deferred...) {
		e := outcome.Classify(refusal.Err)
		r.OK = false
		r.Recipients = append(r.Recipients, recipientJSON{refusal.Recipient, e.Cause, e.Detail, e.Remedy()})
	}
	if t.g.JSON() {
		return r.OK, base.NewEncoder(t.g.IO.Out).Encode(r)
	}
	return r.OK, t.g.WriteResults(r.results(c), base.NoTitle)
}

// trialEvent is the event of a test. Its spaces, trailing zero, umlaut and integer
// beyond 2^53 do not survive in a receiver that decodes and encodes the JSON before it
// verifies the signature: such a receiver refuses the test, and not the first alert.
const trialEvent = `{"event_type": "channels.test", "symbol": "TEST", "price": 1.00010, "sequence": 9007199254740993, "note": "f\u00fcr \"<desk>\" & co, geprüft"}`

// message returns the test message.
func (t *trial) message(name string) channel.Message {
	now := time.Now()
	user, host, _ := strings.Cut(t.by, "@")
	field := func(label, value string) alert.Field {
		return alert.Field{Label: label, Value: alert.Text{{Text: value, Value: true}}}
	}
	return channel.Message{
		Delivery: "dl_" + strings.ToLower(rand.Text()), Test: true, Now: now, Event: []byte(trialEvent), Zone: t.zone,
		Alert: alert.Alert{
			ID: "al_" + strings.ToLower(rand.Text()), Rule: "channels test", Severity: alert.Severity(t.severity),
			Title:     alert.Text{{Text: "This is a test of " + name}},
			Text:      alert.Text{{Text: "This tests whether alerts arrive here. No action is needed."}},
			Fields:    []alert.Field{field("by", user), field("from host", host), field("at", now.UTC().Format("2 Jan 2006 15:04:05 UTC"))},
			EventTime: now,
		},
	}
}

// results returns the result for display.
func (r *trialJSON) results(c *registry.Config) []check.Result {
	subject := r.Channel
	took := channel.Duration(time.Duration(r.LatencyMS) * time.Millisecond)
	if r.Cause != "" {
		text := string(r.Cause)
		if r.Detail != "" {
			text += ": " + r.Detail
		}
		return append([]check.Result{check.Failedf(subject, r.Remedy, "%s, after %s", text, took)}, r.recipients()...)
	}
	text := "sent to " + c.Destination()
	if len(r.Recipients) > 0 {
		text = "sent to " + strings.Join(r.accepted, ", ")
	}
	if r.Answer != "" {
		text += "; " + r.Answer
	}
	if r.ID != "" {
		text += ", " + map[string]string{"slack": "ts ", "email": "Message-ID ", "pagerduty": "dedup key ", "http": "id "}[r.Kind] + r.ID
	}
	return append([]check.Result{check.Okf(subject, "%s, after %s", text, took)}, r.recipients()...)
}

func (r *trialJSON) recipients() []check.Result {
	var all []check.Result
	for _, p := range r.Recipients {
		all = append(all, check.Failedf(r.Channel, p.Remedy, "not to %s: %s: %s", p.Recipient, p.Cause, p.Detail))
	}
	return all
}

// verifyWithin bounds the check of one channel. A mail server may be slow for each recipient.
const verifyWithin = 30 * time.Second

// verify checks the channels without sending.
func (t *trial) verify(ctx context.Context, l *config.Loaded, names []string) error {
	var checks []check.Check
	for _, name := range names {
		checks = append(checks, l.Channels.Get(name).Check(name, name, t.g.Redactor))
	}
	results := check.Gather(ctx, verifyWithin, checks)
	title := func(name string) string {
		c := l.Channels.Get(name)
		return name + ", " + c.Kind + " to " + c.Destination()
	}
	if err := t.g.WriteResults(results, title); err != nil {
		return err
	}
	if err := base.Failures(results); err != nil {
		return err
	}
	if !t.g.JSON() {
		fmt.Fprintln(t.g.IO.Err, "nothing was sent")
	}
	return nil
}

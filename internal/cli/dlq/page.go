package dlq

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/term"
)

// page is the output of 'dlq show'.
type page struct {
	bytes.Buffer
	width int
	self  string // the program in suggested commands
}

const (
	longest   = 2048 // bytes of a text that are shown
	nameWidth = 12   // columns
)

// row prints a text with its name, wrapped to the terminal's width.
func (p *page) row(name, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if len(text) > longest {
		text = fmt.Sprintf("%s… %d more bytes", strings.ToValidUTF8(text[:longest], ""), len(text)-longest)
	}
	for _, line := range term.Wrap(term.Visible(text), p.width-nameWidth-1) {
		fmt.Fprintf(p, "%-*s %s\n", nameWidth, name, line)
		name = ""
	}
}

func (p *page) entry(e *dlq.Entry) {
	p.row("id", "%s", e.ID)
	p.row("state", "%s", stateText(e))
	if c := e.Closed; c != nil {
		p.row("closed", "%s by %s%s", term.Stamp(c.At), term.OrDash(c.By), prefixed(": ", c.Comment))
	}
	if !hasRecord(e) {
		p.row("", "its record is gone")
		return
	}
	if e.State == dlq.Malformed {
		p.malformed(e)
	} else {
		p.failure(e)
		p.alert(e)
		p.source(e)
	}
	for _, h := range e.Envelope.Source.Headers {
		p.row("header", "%s: %s", h.Key, headerText(h.Value))
	}
	p.value(e)
	p.next(e)
}

func stateText(e *dlq.Entry) string {
	text := string(e.State)
	if e.Replays > 0 {
		text += ", replayed " + times(e.Replays)
	}
	if by := e.EditedBy; by != "" {
		text += ", edited by " + by
	}
	return text
}

func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return fmt.Sprintf("%d times", n)
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

func (p *page) malformed(e *dlq.Entry) {
	p.row("why", "the record is not in the format of dead letters, or damaged")
	p.row("detail", "%s", e.Detail)
	p.row("record", "%s of %s, key %s, fingerprint %s", e.Where(), term.Stamp(e.LastFailed), keyText(e.Key), e.Fingerprint())
}

func (p *page) failure(e *dlq.Entry) {
	p.row("why", "%s", explain(e))
	if e.Detail != "" {
		p.row("detail", "%s", e.Detail)
	}
	p.row("reason", "%s · cause %s · scope %s · fingerprint %s", e.Reason, e.Cause, e.Scope, e.Fingerprint())
	if e.Attempts <= 1 {
		p.row("attempts", "1, at %s", term.Stamp(e.LastFailed))
	} else {
		p.row("attempts", "%d, from %s to %s", e.Attempts, term.Stamp(e.FirstFailed), term.Stamp(e.LastFailed))
	}
	if len(e.Recipients) > 0 {
		p.row("recipients", "%s", strings.Join(e.Recipients, ", "))
	}
	if len(e.Delivered) > 0 {
		p.row("delivered to", "%s", strings.Join(e.Delivered, ", "))
	}
}

func (p *page) alert(e *dlq.Entry) {
	a := e.Envelope.Alert
	if a == nil {
		if rule := e.Rule(); rule != "" { // an entry that was cut to fit has no alert
			p.row("rule", "%s · channel %s", rule, e.Envelope.Channel)
		}
		return
	}
	p.row("alert", "%s: %s", a.Severity, a.Title.String())
	for _, line := range a.Text.Lines() {
		p.row("", "%s", line)
	}
	for _, f := range a.Fields {
		p.row("", "%s: %s", f.Label, f.Value.String())
	}
	p.row("rule", "%s · channel %s%s", a.Rule, e.Envelope.Channel, prefixed(" · alert key ", a.KeyText()))
}

func (p *page) source(e *dlq.Entry) {
	s := e.Envelope.Source
	p.row("source", "%s of %s, key %s", s.String(), term.Stamp(s.Time), keyText(s.Key))
	if id := tracing.TraceID(e.Envelope.Trace); id != "" {
		p.row("trace", "%s", id)
	}
}

func (p *page) value(e *dlq.Entry) {
	p.WriteByte('\n')
	switch v := e.Envelope.Source.Value; {
	case e.AtSource():
		p.WriteString("value: too large to store; a replay reads it from its source\n")
	case e.Pointer:
		p.WriteString("value: too large to store; read it from its source\n")
	case v == nil:
		p.WriteString("value: null\n")
	default:
		fmt.Fprintf(p, "value (%s):\n%s\n", plural.Count(len(v), "byte"), valueText(v))
	}
}

// next prints what a replay would do, and suggests commands.
func (p *page) next(e *dlq.Entry) {
	p.WriteByte('\n')
	p.row("replay", "%s", replayText(e))
	if e.Closed != nil {
		return
	}
	id := base.Quote(brief(e.ID, longID))
	command := func(what, format string, args ...any) {
		fmt.Fprintf(p, "  %-16s %s %s\n", what, p.self, fmt.Sprintf(format, args...))
	}
	switch {
	case e.State == dlq.Malformed || e.State == dlq.Waiting:
	case e.AtSource():
		command("replay it", "dlq replay %s%s", flagsNeeded(e), id)
		command("replay it edited", "dlq replay %s--payload FILE %s", flagsNeeded(e), id)
	case e.Pointer:
		command("replay it", "dlq replay --payload FILE %s", id)
	default:
		command("replay it", "dlq replay %s%s", flagsNeeded(e), id)
		command("get its value", "dlq show --payload %s > event", id)
		command("replay it edited", "dlq replay %s--payload event %s", flagsNeeded(e), id)
	}
	if e.State == dlq.Waiting {
		command("discard it", `dlq discard --force -m "why" %s`, id)
	} else {
		command("discard it", `dlq discard -m "why" %s`, id)
	}
}

func flagsNeeded(e *dlq.Entry) string {
	flags := ""
	if e.State == dlq.Quarantined {
		flags += "--force "
	}
	if e.Reason == outcome.Unconfirmed {
		flags += "--include-ambiguous "
	}
	return flags
}

// replayText describes what a replay of an entry would do.
func replayText(e *dlq.Entry) string {
	var parts []string
	switch {
	case e.Closed != nil:
		return "not possible: it is closed"
	case e.State == dlq.Malformed:
		return "not possible: a malformed entry can only be discarded"
	case e.Pointer && !e.AtSource():
		return "only with --payload, its value from the source"
	case e.State == dlq.Waiting:
		return "requested: the daemon will send it"
	case e.Envelope.Alert != nil:
		parts = append(parts, fmt.Sprintf("sends the original alert to %s; --rematch matches the event against the rules again", e.Envelope.Channel))
	default:
		parts = append(parts, "matches the event against the rules again")
	}
	if e.AtSource() {
		parts = append(parts, fmt.Sprintf("its value is read from %s, while that has it", e.SourceTopic()))
	}
	if e.State == dlq.Quarantined {
		parts = append(parts, fmt.Sprintf("it was replayed %s without success: needs --force", times(e.Replays)))
	}
	if e.Reason == outcome.Unconfirmed {
		parts = append(parts, "it may have been delivered: needs --include-ambiguous")
	}
	return strings.Join(parts, "; ")
}

// explain explains a reason.
func explain(e *dlq.Entry) string {
	switch e.Reason {
	case outcome.Undecodable:
		if e.Cause == outcome.Schema {
			return "the event violates the schema of its topic, and was not matched"
		}
		return "the record is not an event, and was not matched"
	case outcome.RulePanic:
		return "a rule or the decoder panicked on this event: a defect of the notifier"
	case outcome.OverBudget:
		return "its rules exceed the step limit of one event"
	case outcome.Refused:
		return "the provider refused the content of this message"
	case outcome.TooLarge:
		return "the message is too large for its destination"
	case outcome.BadRecipient:
		return "some recipients refused it; a replay leaves out those that have it"
	case outcome.Exhausted:
		return "all attempts failed while other messages were delivered"
	case outcome.Unconfirmed:
		return "it may have been delivered: the connection was lost before the response"
	case outcome.NoLongerRouted:
		return "its rule, channel or recipients are no longer configured"
	}
	return string(e.Reason)
}

func headerText(b []byte) string {
	if b == nil {
		return "null"
	}
	if !utf8.Valid(b) {
		return "0x" + hex.EncodeToString(b[:min(len(b), longest)])
	}
	return string(b)
}

// valueText returns indented JSON, escaped text, or a hex dump.
func valueText(b []byte) string {
	var pretty bytes.Buffer
	switch {
	case !utf8.Valid(b):
		dump := strings.TrimSuffix(hex.Dump(b[:min(len(b), longest)]), "\n")
		if len(b) > longest {
			dump += fmt.Sprintf("\n… %d more bytes: --payload prints them all", len(b)-longest)
		}
		return dump
	case json.Indent(&pretty, b, "", "  ") == nil:
		return term.VisibleLines(pretty.String())
	}
	return term.VisibleLines(string(b))
}

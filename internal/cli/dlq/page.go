package dlq

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rivo/uniseg"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/term"
)

// page is what 'dlq show' shows.
type page struct {
	bytes.Buffer
	width int
	self  string // the command as it was started
}

// longest is how much of one text is shown.
const longest = 2048

// nameWidth is that of the left column.
const nameWidth = 12

// row prints a text under its name, broken at spaces to fit the terminal.
func (p *page) row(name, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if len(text) > longest {
		text = fmt.Sprintf("%s… %d more bytes", strings.ToValidUTF8(text[:longest], ""), len(text)-longest)
	}
	for _, line := range wrap(term.Visible(text), p.width-nameWidth-1) {
		fmt.Fprintf(p, "%-*s %s\n", nameWidth, name, line)
		name = ""
	}
}

// wrap breaks a text at spaces into lines of a display width. A longer word is
// a line of its own.
func wrap(text string, width int) []string {
	var lines []string
	line, used := "", 0
	for _, word := range strings.Split(text, " ") {
		w := uniseg.StringWidth(word)
		if used > 0 && used+1+w > width {
			lines = append(lines, line)
			line, used = word, w
			continue
		}
		if used > 0 || line != "" {
			line, used = line+" ", used+1
		}
		line, used = line+word, used+w
	}
	return append(lines, line)
}

func (p *page) entry(e *dlq.Entry) {
	p.row("id", "%s", e.ID)
	p.row("state", "%s", stateText(e))
	if c := e.Closed; c != nil {
		p.row("closed", "%s by %s%s", stamp(c.At), term.OrDash(c.By), prefixed(": ", c.Comment))
	}
	if !hasRecord(e) {
		p.row("", "nothing else is left of it")
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
	p.row("why", "this record is not in the format of dead letters, or not as it was written")
	p.row("detail", "%s", e.Detail)
	p.row("record", "%s of %s, key %s, fingerprint %s", e.Where(), stamp(e.LastFailed), keyText(e.Key), e.Fingerprint())
}

func (p *page) failure(e *dlq.Entry) {
	p.row("why", "%s", inWords(e))
	if e.Detail != "" {
		p.row("detail", "%s", e.Detail)
	}
	p.row("reason", "%s · cause %s · scope %s · fingerprint %s", e.Reason, e.Cause, e.Scope, e.Fingerprint())
	if e.Attempts <= 1 {
		p.row("attempts", "1, at %s", stamp(e.LastFailed))
	} else {
		p.row("attempts", "%d, from %s to %s", e.Attempts, stamp(e.FirstFailed), stamp(e.LastFailed))
	}
	if len(e.Recipients) > 0 {
		p.row("recipients", "%s", strings.Join(e.Recipients, ", "))
	}
}

func (p *page) alert(e *dlq.Entry) {
	a := e.Envelope.Alert
	if a == nil {
		if rule := e.Rule(); rule != "" { // the smallest form of a dead letter has no alert
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
	p.row("source", "%s of %s, key %s", s.String(), stamp(s.Time), keyText(s.Key))
	if id := tracing.TraceID(e.Envelope.Trace); id != "" {
		p.row("trace", "%s", id)
	}
}

func (p *page) value(e *dlq.Entry) {
	p.WriteByte('\n')
	switch v := e.Envelope.Source.Value; {
	case e.Pointer:
		p.WriteString("value: not kept here, it was too large; read it at its source\n")
	case v == nil:
		p.WriteString("value: null\n")
	default:
		fmt.Fprintf(p, "value (%s):\n%s\n", term.Count(len(v), "byte"), valueText(v))
	}
}

// next says what a replay would do, and the commands to go on.
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
	case e.Pointer:
		command("with its value", "dlq replay --payload FILE %s", id)
	default:
		command("send it again", "dlq replay %s%s", flagsNeeded(e), id)
		command("take its value", "dlq show --payload %s > event", id)
		command("send it edited", "dlq replay %s--payload event %s", flagsNeeded(e), id)
	}
	if e.State == dlq.Waiting {
		command("close it anyway", `dlq discard --force -m "why" %s`, id)
	} else {
		command("close it", `dlq discard -m "why" %s`, id)
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

// replayText says what a replay of an entry would do.
func replayText(e *dlq.Entry) string {
	var parts []string
	switch {
	case e.Closed != nil:
		return "not any more: it is closed"
	case e.State == dlq.Malformed:
		return "not possible: a record that cannot be read can only be discarded"
	case e.Pointer:
		return "only with its value, taken from its source into a file"
	case e.State == dlq.Waiting:
		return "is asked for: the daemon sends it as soon as it comes to it"
	case e.Envelope.Alert != nil:
		parts = append(parts, fmt.Sprintf("sends the alert as it was raised to %s; with --rematch the event goes through the rules again", e.Envelope.Channel))
	default:
		parts = append(parts, "puts the event through the rules again")
	}
	if e.State == dlq.Quarantined {
		parts = append(parts, fmt.Sprintf("it was replayed %s without success, so it takes --force", times(e.Replays)))
	}
	if e.Reason == outcome.Unconfirmed {
		parts = append(parts, "it may have been delivered already, so it takes --include-ambiguous")
	}
	return strings.Join(parts, "; ")
}

// inWords says what a reason means for the reader.
func inWords(e *dlq.Entry) string {
	switch e.Reason {
	case outcome.Undecodable:
		return "the record's bytes are not an event, so no rule has seen it"
	case outcome.RulePanic:
		return "a rule or the decoder failed on this event; that is a defect of the notifier's"
	case outcome.OverBudget:
		return "its rules take more steps than one event may take"
	case outcome.Refused:
		return "the provider refuses this message for its content; others are sent"
	case outcome.TooLarge:
		return "the message is too large for where it has to go"
	case outcome.BadRecipient:
		return "some recipients refuse it; the others have got it"
	case outcome.Exhausted:
		return "all attempts failed while other messages were delivered"
	case outcome.Unconfirmed:
		return "it may have been delivered: the connection ended before the provider's answer"
	case outcome.NoLongerRouted:
		return "its rule or channel is no longer configured"
	}
	return string(e.Reason)
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
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

// valueText is JSON indented, other text as it is with control characters
// shown, and bytes as a hex dump.
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

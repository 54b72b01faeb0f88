package slack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
)

// Slack's limits (docs.slack.dev, reference "Block Kit" and chat.postMessage),
// in characters. Above 4,000 a text is split into several messages.
const (
	maxText    = 3900
	maxHeader  = 150
	maxSection = 3000
	maxField   = 2000
	maxFields  = 10
	maxItems   = 40     // lines of a digest
	maxBlocks  = 10_000 // our own limit for all blocks as JSON
)

type rendered struct {
	text   string // for notifications and screen readers
	blocks []slack.Block
}

// render renders a message. Values are in plain_text objects, which Slack shows
// literally; mrkdwn objects contain configuration only.
func (c *Channel) render(m channel.Message) rendered {
	m = m.Flat(time.UTC, maxItems, maxText/2)
	title := mark(m.Alert.Severity) + " " + oneLine(m.Alert.Title)
	lines := m.Alert.Text.Lines()
	notes := notes(m)
	r := rendered{text: escape(cut(strings.Join(append([]string{title}, append(fieldLines(m.Alert), lines...)...), "\n"), maxText/2))}
	if utf8.RuneCountInString(r.text) > maxText { // after escaping
		r.text = escape(cut(title, maxText/8))
	}
	if who := c.mentions(m.Alert.Severity); who != "" {
		r.text = who + " " + r.text
	}
	fields := m.Alert.Fields
	for {
		r.blocks = c.blocks(m, title, lines, fields, notes)
		if size(r.blocks) <= maxBlocks {
			return r
		}
		switch { // shorten the text first, then drop the last fields
		case len(lines) > 0:
			lines = lines[:len(lines)/2]
			notes = appendOnce(notes, "shortened")
		case len(fields) > 0:
			fields = fields[:len(fields)-1]
			notes = appendOnce(notes, "shortened")
		default:
			return r
		}
	}
}

// size returns the characters of blocks as JSON, as Slack counts them: encoding/json's
// escapes of <, > and & are one each.
func size(blocks []slack.Block) int {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(blocks) // an error is slack-go's to return
	return utf8.RuneCount(b.Bytes())
}

func (c *Channel) blocks(m channel.Message, title string, lines []string, fields []alert.Field, notes []string) []slack.Block {
	var blocks []slack.Block
	if utf8.RuneCountInString(title) <= maxHeader {
		blocks = append(blocks, slack.NewHeaderBlock(plainText(title, maxHeader)))
	} else {
		blocks = append(blocks, slack.NewSectionBlock(plainText(title, maxSection), nil, nil))
	}
	if who := c.mentions(m.Alert.Severity); who != "" {
		blocks = append(blocks, slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, who, false, true), nil, nil))
	}
	var objects []*slack.TextBlockObject
	for i, f := range fields {
		if i == maxFields-1 && len(fields) > maxFields {
			objects = append(objects, plainText(fmt.Sprintf("… %d more fields", len(fields)-i), maxField))
			break
		}
		objects = append(objects, plainText(alert.Visible(f.Label)+"\n"+oneLine(f.Value), maxField))
	}
	if len(objects) > 0 {
		blocks = append(blocks, slack.NewSectionBlock(nil, objects, nil))
	}
	if len(lines) > 0 {
		blocks = append(blocks, slack.NewSectionBlock(plainText(strings.Join(lines, "\n"), maxSection), nil, nil))
	}
	return append(blocks, slack.NewContextBlock("", footer(m, notes)...))
}

// footer is the context line: rule, event time, notes and runbook.
func footer(m channel.Message, notes []string) []slack.MixedElement {
	elements := []slack.MixedElement{plainText(alert.Visible(m.Alert.Rule), maxField)}
	if d := m.Digest; d != nil {
		elements = append(elements, slack.NewTextBlockObject(slack.MarkdownType, date(d.First)+" – "+date(d.Last), false, true))
	} else if at := m.Alert.EventTime; !at.IsZero() {
		elements = append(elements, slack.NewTextBlockObject(slack.MarkdownType, date(at), false, true))
	}
	for _, n := range notes {
		elements = append(elements, plainText(n, maxField))
	}
	if link := alert.Link(m.Alert.Runbook); link != "" {
		link = "<" + escape(link) + "|runbook>"
		elements = append(elements, slack.NewTextBlockObject(slack.MarkdownType, link, false, true))
	}
	return elements
}

// date is a time that Slack shows in the reader's time zone.
func date(at time.Time) string {
	return fmt.Sprintf("<!date^%d^{date_short_pretty} {time_secs}|%s>", at.Unix(), at.UTC().Format("2006-01-02 15:04:05 UTC"))
}

func notes(m channel.Message) []string {
	var notes []string
	if label := m.TestLabel(); label != "" {
		notes = append(notes, label)
	}
	if _, late := m.Late(); late && !m.Alert.EventTime.IsZero() {
		notes = append(notes, m.Delay())
	}
	if label := m.ThrottledLabel(time.UTC); label != "" {
		notes = append(notes, label+" UTC")
	}
	if m.MayBeDuplicate {
		notes = append(notes, "may be a duplicate")
	}
	if label := m.ReplayLabel(); label != "" {
		notes = append(notes, label)
	}
	return notes
}

func (c *Channel) mentions(severity alert.Severity) string {
	var who []string
	for _, id := range c.config.Mentions[string(severity)] {
		switch {
		case id == "here", id == "channel":
			who = append(who, "<!"+id+">")
		case strings.HasPrefix(id, "S"):
			who = append(who, "<!subteam^"+id+">")
		default:
			who = append(who, "<@"+id+">")
		}
	}
	return strings.Join(who, " ")
}

func mark(s alert.Severity) string {
	switch s {
	case alert.Critical:
		return "🔴 CRITICAL"
	case alert.Warning:
		return "🟠"
	}
	return "🔵"
}

func fieldLines(a alert.Alert) []string {
	lines := make([]string, len(a.Fields))
	for i, f := range a.Fields {
		lines[i] = alert.Visible(f.Label) + ": " + oneLine(f.Value)
	}
	return lines
}

func oneLine(t alert.Text) string { return alert.Visible(t.String()) }

// plainText is a text that Slack shows literally, emoji names included.
func plainText(s string, most int) *slack.TextBlockObject {
	if s == "" {
		s = "–" // Slack refuses empty texts
	}
	return slack.NewTextBlockObject(slack.PlainTextType, cut(s, most), false, false)
}

// escape neutralises mentions and links (docs.slack.dev, "Escaping text").
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

func cut(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	n := 0
	for i := range s {
		if n++; n == most {
			return s[:i] + "…"
		}
	}
	return s
}

func appendOnce(list []string, s string) []string {
	if len(list) > 0 && list[len(list)-1] == s {
		return list
	}
	return append(list, s)
}

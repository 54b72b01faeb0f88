package slack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
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
	maxRows    = 5      // fields of a section, which has two columns of at most 10 cells
	maxFields  = 20     // our own limit
	maxItems   = 40     // lines of a digest
	maxBlocks  = 10_000 // our own limit for all blocks as JSON
)

// rendered is a message: a head, and below it a body with a bar in the severity's
// colour, which only attachments have.
type rendered struct {
	text string // for notifications and screen readers
	head []slack.Block
	body []slack.Block
	bar  string // colour; of a message without blocks empty
}

// attachments returns the body.
func (r rendered) attachments() []slack.Attachment {
	return []slack.Attachment{{Color: r.bar, Blocks: slack.Blocks{BlockSet: r.body}}}
}

// render renders a message. Values are in plain_text objects, which Slack shows
// literally; mrkdwn objects contain configuration only.
func (c *Channel) render(m channel.Message) rendered {
	content := m.Content() // of a digest it is about the alerts, and m becomes one of them
	m = m.Flat(m.Location(), maxItems, maxText/2)
	title := content.Mark + ": " + oneLine(m.Alert.Title)
	lines := m.Alert.Text.Lines()
	fields, shortened := fieldsOf(m.Alert), m.Alert.Shortened
	all := []string{title}
	for _, f := range fields {
		all = append(all, f.label+": "+f.value)
	}
	all = append(append(all, lines...), content.Footer())
	r := rendered{
		text: escape(cut(strings.Join(all, "\n"), maxText/2)),
		bar:  fmt.Sprintf("#%06X", m.Colour()),
	}
	if utf8.RuneCountInString(r.text) > maxText { // after escaping
		r.text = escape(cut(title, maxText/8))
	}
	who := c.mentions(m)
	if who != "" {
		r.text = who + " " + r.text
	}
	r.head = head(title, who)
	for {
		r.body = body(m, lines, fields, shortened)
		if size(r) <= maxBlocks {
			return r
		}
		switch { // shorten the text first, then drop the last fields
		case len(lines) > 0:
			lines = lines[:len(lines)/2]
		case len(fields) > 0:
			fields = fields[:len(fields)-1]
		default:
			return r
		}
		shortened = true
	}
}

// size returns the characters of a message's blocks as JSON, as Slack counts them:
// encoding/json's escapes of <, > and & are one each.
func size(r rendered) int {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(append(slices.Clone(r.head), r.body...)) // an error is slack-go's to return
	const attachment = len(`[{"color":"#000000","blocks":[]}]`)
	return utf8.RuneCount(b.Bytes()) + attachment
}

// head is the title, and whom the message mentions.
func head(title, who string) []slack.Block {
	var blocks []slack.Block
	if utf8.RuneCountInString(title) <= maxHeader {
		blocks = append(blocks, slack.NewHeaderBlock(plainText(title, maxHeader)))
	} else {
		blocks = append(blocks, slack.NewSectionBlock(plainText(title, maxSection), nil, nil))
	}
	if who != "" {
		blocks = append(blocks, slack.NewSectionBlock(markup(who), nil, nil))
	}
	return blocks
}

// body is the fields, the text and the footer.
func body(m channel.Message, lines []string, fields []field, shortened bool) []slack.Block {
	blocks := rows(fields)
	if len(lines) > 0 {
		blocks = append(blocks, slack.NewSectionBlock(plainText(strings.Join(lines, "\n"), maxSection), nil, nil))
	}
	return append(blocks, slack.NewContextBlock("", footer(m, shortened)...))
}

// field is a field of an alert, at most maxField long.
type field struct{ label, value string }

func fieldsOf(a alert.Alert) []field {
	fields := make([]field, len(a.Fields))
	for i, f := range a.Fields {
		label := strings.TrimSpace(cut(alert.Visible(f.Label), maxField/8))
		if label == "" {
			label = "–"
		}
		fields[i] = field{label, cut(oneLine(f.Value), maxField)}
	}
	return fields
}

// rows returns fields as a table: the label in bold, which only markup can be, and
// beside it the value, which is none. Where Slack has one column, it is below.
func rows(fields []field) []slack.Block {
	var blocks []slack.Block
	var cells []*slack.TextBlockObject
	end := func() {
		if len(cells) > 0 {
			blocks = append(blocks, slack.NewSectionBlock(nil, cells, nil))
		}
		cells = nil
	}
	for i, f := range fields {
		if i == maxFields-1 && len(fields) > maxFields {
			cells = append(cells, plainText(fmt.Sprintf("… %d more fields", len(fields)-i), maxField))
			break
		}
		bold := "*" + escape(strings.ReplaceAll(f.label, "*", "∗")) + "*"
		cells = append(cells, markup(bold), plainText(f.value, maxField))
		if len(cells) == 2*maxRows {
			end()
		}
	}
	end()
	return blocks
}

// maxNotes is how many elements of a footer are notes. Slack takes 10 elements.
const maxNotes = 6

// footer is the context line: rule, times, notes and runbook.
func footer(m channel.Message, shortened bool) []slack.MixedElement {
	elements := []slack.MixedElement{plainText(alert.Visible(m.Alert.Rule), maxField)}
	at := m.Alert.EventTime
	switch d := m.Digest; {
	case d != nil:
		elements = append(elements, markup(date(d.First)+" – "+date(d.Last)))
	case !at.IsZero() && !m.Since.IsZero() && m.Resolved():
		elements = append(elements, markup(date(m.Since)+" – "+date(at)))
	case !at.IsZero():
		elements = append(elements, markup(date(at)))
	}
	elements = append(elements, notes(m, shortened)...)
	if link := alert.Link(m.Alert.Runbook); link != "" {
		elements = append(elements, markup("<"+escape(link)+"|runbook>"))
	}
	return elements
}

// date is a time that Slack shows in the reader's time zone.
func date(at time.Time) string {
	return fmt.Sprintf("<!date^%d^{date_short_pretty} {time_secs}|%s>", at.Unix(), at.UTC().Format("2006-01-02 15:04:05 UTC"))
}

// notes are the remarks on a message, one an element, what exceeds maxNotes in the last.
func notes(m channel.Message, shortened bool) []slack.MixedElement {
	m.Alert.Shortened = shortened
	var elements []slack.MixedElement
	add := func(o *slack.TextBlockObject) { elements = append(elements, o) }
	if m.Suppressed > 0 && !m.SuppressedSince.IsZero() {
		add(markup(fmt.Sprintf("+%d since %s", m.Suppressed, date(m.SuppressedSince))))
		m.Suppressed = 0
	}
	if m.Reminder && !m.Since.IsZero() && !m.Resolved() {
		add(markup(m.SpanLabel() + ", since " + date(m.Since)))
		m.Since = time.Time{}
	}
	texts := m.Notes()
	if room := maxNotes - len(elements); len(texts) > room {
		texts = append(texts[:room-1:room-1], strings.Join(texts[room-1:], " · "))
	}
	for _, text := range texts {
		add(plainText(text, maxField))
	}
	return elements
}

// mentions are the ids that the configuration has for a message's severity. That
// something is over calls nobody.
func (c *Channel) mentions(m channel.Message) string {
	if m.Resolved() {
		return ""
	}
	var who []string
	for _, id := range c.config.Mentions[string(m.Alert.Severity)] {
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

func oneLine(t alert.Text) string { return alert.Visible(t.String()) }

// markup is a text in Slack's markup, which contains configuration only.
func markup(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, s, false, true)
}

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

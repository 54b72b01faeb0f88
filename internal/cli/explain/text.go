package explain

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/term"
)

// mostMisses is how many rules that are not raised are shown in full.
const mostMisses = 3

// page is the output for people.
type page struct {
	bytes.Buffer
	g     *base.Globals
	width int
}

const nameWidth = 11 // columns

// row prints a text with its name, wrapped.
func (p *page) row(name, format string, args ...any) {
	for _, line := range term.Wrap(p.visible(fmt.Sprintf(format, args...)), max(p.width-nameWidth-1, 20)) {
		fmt.Fprintf(p, "%-*s %s\n", nameWidth, name, line)
		name = ""
	}
}

// line prints a text behind an indentation, wrapped.
func (p *page) line(indent int, format string, args ...any) {
	for _, line := range term.Wrap(p.visible(fmt.Sprintf(format, args...)), max(p.width-indent, 20)) {
		fmt.Fprintf(p, "%*s%s\n", indent, "", line)
	}
}

func (p *page) visible(text string) string { return term.Visible(p.g.Redactor.Redact(text)) }

// print writes the report, and what could not be found out on standard error.
func (r *report) print(g *base.Globals, o *options) error {
	p := &page{g: g, width: g.Width()}
	r.head(p, o)
	raised, misses := r.sorted()
	for i := range raised {
		p.WriteByte('\n')
		r.raised(p, &raised[i])
	}
	full := mostMisses
	if o.all || o.rule != "" {
		full = len(misses)
	}
	for i := range misses {
		switch {
		case i < full:
			p.WriteByte('\n')
			p.miss(&misses[i])
		default:
			if i == full {
				p.WriteByte('\n')
				p.line(0, "%s in full):", plural.Verb(len(misses)-full, "other rule does not fire (--all shows it", "other rules do not fire (--all shows them"))
			}
			p.brief(&misses[i])
		}
	}
	for _, rule := range r.former() {
		p.WriteByte('\n')
		p.line(0, "%s does not fire, but did when the record was read: the rules or the notifier have changed since", rule)
		r.became(p, r.deliveries[rule])
	}
	if r.event == nil && r.deliveries != nil {
		p.WriteByte('\n')
		for _, list := range r.deliveries {
			p.row("alert", "%s of %s, key %s: %s", list[0].Alert, list[0].Rule, list[0].KeyText(), list[0].Text())
			r.became(p, list)
		}
	}
	if _, err := g.IO.Out.Write(p.Bytes()); err != nil {
		return err
	}
	for _, note := range r.notes {
		term.WriteMessage(g.IO.Err, p.visible(note))
	}
	return nil
}

// sorted returns the rules that the event raises, and the others, the nearest first.
func (r *report) sorted() (raised, misses []rule.Explanation) {
	for _, e := range r.rules {
		if e.Result == rule.No {
			misses = append(misses, e)
		} else {
			raised = append(raised, e)
		}
	}
	rule.Nearest(misses)
	return raised, misses
}

// former returns the rules that the event raised when it was read, and does not now.
func (r *report) former() (names []string) {
	for _, e := range r.rules {
		if e.Result == rule.No && len(r.deliveries[e.Rule]) > 0 {
			names = append(names, e.Rule)
		}
	}
	return names
}

// head prints the event, and what the rules make of it.
func (r *report) head(p *page, o *options) {
	where := "from " + o.file
	if o.file == "-" {
		where = "from standard input"
	}
	if r.place != nil {
		where = r.place.String()
	}
	if ev := r.event; ev != nil {
		text := where
		for _, more := range []string{ev.Type, "of " + term.Stamp(ev.Time), prefixed("id ", ev.ID), prefixed("key ", string(ev.Record.Key))} {
			if more != "" {
				text += " · " + more
			}
		}
		p.row("event", "%s", text)
		if ev.Repaired != "" {
			p.row("repaired", "%s", ev.Repaired)
		}
	} else {
		p.row("event", "%s", where)
	}
	if r.place != nil && r.committed >= 0 && r.place.Offset >= r.committed {
		p.row("not read", "the notifier has not settled this record yet: the offset of the group is %d", r.committed)
	}
	if r.problem != "" {
		p.row("result", "%s", r.problem)
	}
	for _, line := range r.excerpt {
		fmt.Fprintf(p, "%*s %s\n", nameWidth, "", p.g.Redactor.Redact(line))
	}
	r.deadLetter(p)
	if len(r.rules) > 0 {
		p.row("result", "%s", r.summary())
	}
	if r.event != nil && r.topicRules == 0 && r.problem == "" {
		p.row("result", "there is no rule for %s", r.event.Record.Topic)
	}
}

func (r *report) deadLetter(p *page) {
	switch {
	case r.dead != nil:
		id := r.dead.ID[:min(len(r.dead.ID), 12)]
		p.row("dead letter", "%s, which is %s: %s dlq show %s", id, r.dead.State, p.g.Self(), base.Quote(id))
	case r.cause != "" && r.place != nil && r.deadID != "":
		p.row("dead letter", "there is no %s: the record is not read yet, or the entry was resolved or discarded", r.deadID)
	}
}

// summary says which rules the event raises.
func (r *report) summary() string {
	raised, misses := r.sorted()
	texts := make([]string, len(raised))
	for i, e := range raised {
		texts[i] = e.Rule + " " + string(e.Result)
	}
	switch {
	case len(r.rules) < r.topicRules && len(raised) == 0:
		return misses[0].Rule + " does not fire"
	case len(r.rules) < r.topicRules:
		return texts[0]
	case len(raised) == 0:
		return fmt.Sprintf("none of the %s of %s fires, the nearest first", plural.Count(len(r.rules), "rule"), r.event.Record.Topic)
	case len(misses) == 0:
		return strings.Join(texts, ", ")
	}
	return fmt.Sprintf("%s; %s of %s not", strings.Join(texts, ", "), plural.Verb(len(misses), "other rule", "other rules"), r.event.Record.Topic+" "+plural.VerbOf(len(misses), "does", "do"))
}

// raised prints a rule that the event raises, its alert and what became of it.
func (r *report) raised(p *page, e *rule.Explanation) {
	p.line(0, "%s %s", e.Rule, e.Result)
	a := e.Alert
	if a == nil {
		return // the rules took too many steps
	}
	if a.State == alert.Resolved {
		p.row("when", "is false: %s", briefPart(&e.When, e.When.Decisive()[0]))
		p.row("clear", "is true: it is told where an alert of its key is open")
	} else {
		why := ""
		for i, c := range e.Severity {
			why += []string{", since ", " and "}[min(i, 1)] + fmt.Sprintf("%s is %v", c.Text, c.True)
		}
		p.row("severity", "%s%s", a.Severity, why)
	}
	key := term.OrDash(a.KeyText())
	if strings.Join(a.Group, "") != "" {
		key += " · group " + strings.Join(a.Group, "/")
	}
	p.row("key", "%s", key)
	p.row("title", "%s", a.Title)
	if text := a.Text.String(); text != "" {
		p.row("text", "%s", text)
	}
	var fields []string
	for _, f := range a.Fields {
		fields = append(fields, f.Label+" "+f.Value.String())
	}
	if len(fields) > 0 {
		p.row("fields", "%s", strings.Join(fields, " · "))
	}
	p.row("to", "%s", term.OrDash(strings.Join(a.Channels, ", ")))
	for _, q := range a.QuietIn {
		p.row("", "%s has quiet hours (%s) until %s", q.Channel, q.Calendar, term.Stamp(q.Until))
	}
	if r.place != nil {
		p.row("alert", "%s", r.alertID(a))
		r.became(p, r.deliveries[e.Rule])
		r.unknown(p, a, e)
	}
	r.forecast(p, e.Rule)
}

// became prints what became of deliveries.
func (r *report) became(p *page, list []*delivery) {
	for _, d := range list {
		text := fmt.Sprintf("%s: %s at %s", d.Channel, d.Decision, term.Stamp(d.Ended))
		if n := d.Tried(); n > 0 {
			text += ", " + plural.Count(n, "attempt")
		}
		if d.Receipt != "" {
			text += ", receipt " + d.Receipt
		}
		if why := d.Why(); why != "" {
			text += ": " + why
		}
		p.row("channel", "%s (%s)", text, d.Delivery[:min(len(d.Delivery), 12)])
	}
}

// unknown says of the channels without a record in the delivery log what that means.
func (r *report) unknown(p *page, a *alert.Alert, e *rule.Explanation) {
	var without []string
	for _, c := range a.Channels {
		if !slices.ContainsFunc(r.deliveries[e.Rule], func(d *delivery) bool { return d.Channel == c }) {
			without = append(without, c)
		}
	}
	if len(without) == 0 || r.deliveries == nil || r.committed >= 0 && r.place.Offset >= r.committed {
		return
	}
	const kept = 7 * 24 * time.Hour
	why := "it is pending (see 'notifier channels list'), or the rule was another when the record was read"
	switch {
	case r.asked.Sub(r.record.Time) > kept:
		why = "the log keeps 7 days"
	case a.State == alert.Resolved:
		why = "nothing was open that it could end, or it is pending"
	}
	p.row("channel", "%s: no record in the delivery log: %s", strings.Join(without, ", "), why)
}

// forecast says what would become of the alert of an event like this one now.
func (r *report) forecast(p *page, name string) {
	if r.outlook == nil {
		return
	}
	i := slices.IndexFunc(r.again, func(a alert.Alert) bool { return a.Rule == name })
	if i < 0 {
		p.row("now", "the rule does not fire for such an event at this time")
		return
	}
	a := &r.again[i]
	for _, c := range a.Channels {
		p.row("now", "%s: %s", c, forecastText(a, r.outlook.Of(a, c)))
	}
}

func forecastText(a *alert.Alert, f dispatch.Forecast) string {
	text := "would be " + string(f.Decision)
	switch f.Decision {
	case "":
		text = "would be sent, or gathered into the next digest of its group"
	case dispatch.Unneeded:
		text = "would not be sent"
	}
	if !f.Until.IsZero() {
		text += " until " + term.Stamp(f.Until)
	}
	return text + prefixed(": ", f.Why)
}

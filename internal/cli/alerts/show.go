package alerts

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/topics"
)

func newShow(g *base.Globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show what became of one alert in every channel",
		Long: "Show what became of one alert in every channel: each attempt, why it was not sent, where its event\n" +
			"is. The id is the alert's or that of one of its deliveries, and may be abbreviated to a unique prefix.",
		Args: base.OneArg("the id of an alert or of a delivery"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkID(args[0]); err != nil {
				return err
			}
			l, err := openLog(g, cmd.Context())
			if err != nil {
				return err
			}
			defer l.client.Close()
			list, err := l.find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if g.JSON() {
				return base.EncodeAll(g.IO.Out, list)
			}
			p := page{width: g.Width()}
			p.alert(list[0])
			for _, r := range list {
				p.delivery(l.group, r)
			}
			p.next(l, g.Self(), list)
			_, err = g.IO.Out.Write(p.Bytes())
			return err
		},
	}
	cmd.ValidArgsFunction = completeID(g)
	return cmd
}

// checkID checks the beginning of an id.
func checkID(id string) error {
	if len(id) <= len("al_") {
		return base.Misused("%q is too short for an id, such as al_6f2c", id)
	}
	return nil
}

// page is the output of 'alerts show'.
type page struct {
	bytes.Buffer
	width int
}

const nameWidth = 10 // columns

// row prints a text with its name, wrapped to the terminal's width.
func (p *page) row(name, format string, args ...any) {
	for _, line := range term.Wrap(term.Visible(fmt.Sprintf(format, args...)), p.width-nameWidth-1) {
		fmt.Fprintf(p, "%-*s %s\n", nameWidth, name, line)
		name = ""
	}
}

// alert prints what the deliveries of an alert have in common.
func (p *page) alert(r *deliverylog.Record) {
	e := &r.Event
	p.row("alert", "%s", r.Alert)
	if r.State != "" {
		p.row("title", "%s", r.Text())
	} else {
		p.row("title", "%s: %s", r.Severity, r.Text())
	}
	p.row("rule", "%s%s", r.Rule, prefixed(" · key ", r.KeyText()))
	if e.Topic == alert.Notifier {
		p.row("event", "none: a notice of the notifier itself, of %s", term.Stamp(e.Time))
		return
	}
	p.row("event", "%s of %s%s%s", e, term.Stamp(e.Time), prefixed(" · ", e.Type), prefixed(" · id ", e.ID))
}

// delivery prints what became of one delivery.
func (p *page) delivery(group string, r *deliverylog.Record) {
	p.WriteByte('\n')
	delay := fmt.Sprintf(", %s after the event", channel.Duration(max(r.Ended.Sub(r.Event.Time), 0)))
	if r.Event.Topic == alert.Notifier {
		delay = ""
	}
	p.row("channel", "%s: %s at %s%s", r.Channel, r.Decision, term.Stamp(r.Ended), delay)
	if why := r.Why(); why != "" {
		p.row("why", "%s", why)
	}
	p.row("delivery", "%s%s", r.Delivery, marks(r))
	if r.Digest != "" && r.Digest != r.Delivery {
		p.row("digest", "sent in the message of %s", r.Digest)
	}
	if r.Receipt != "" {
		p.row("receipt", "%s", r.Receipt)
	}
	p.attempts(r)
	p.row("outbox", "%s/%d@%d, read at %s by %s", topics.Outbox(group, r.Channel), r.Outbox.Partition, r.Outbox.Offset, term.Stamp(r.Received), r.Client)
}

func marks(r *deliverylog.Record) string {
	text := ""
	if r.Replay > 0 {
		text += fmt.Sprintf(" · replay %d of a dead letter", r.Replay)
	}
	if r.ResentBy != "" {
		text += " · sent again by " + r.ResentBy
	}
	if r.MayBeDuplicate {
		text += " · may be a duplicate: an earlier attempt may have arrived"
	}
	return text
}

func (p *page) attempts(r *deliverylog.Record) {
	if r.Earlier > 0 {
		p.row("attempts", "%s of a notifier that had the outbox before", plural.Count(r.Earlier, "attempt"))
	}
	const most = 3 // the first ones, before those left out
	for i := range r.Attempts {
		a, n := &r.Attempts[i], r.Earlier+i+1
		if r.Omitted > 0 && i >= most {
			n += r.Omitted
		}
		if r.Omitted > 0 && i == most {
			p.row("", "… %s left out", plural.Count(r.Omitted, "attempt"))
		}
		why := strings.Trim(string(a.Cause)+prefixed(": ", a.Detail), ": ")
		p.row(fmt.Sprintf("attempt %d", n), "%s, %s: %s%s", term.Clock(a.Started), channel.Duration(time.Duration(a.Duration)), a.Result, prefixed(", ", why))
	}
}

// next suggests commands.
func (p *page) next(l *log, self string, list []*deliverylog.Record) {
	e := &list[0].Event
	p.WriteByte('\n')
	command := func(what, line string) { fmt.Fprintf(p, "  %-16s %s\n", what, line) }
	if e.Topic != alert.Notifier {
		command("see its event", fmt.Sprintf("kafka-console-consumer --bootstrap-server %s --topic %s --partition %d --offset %d --max-messages 1",
			base.Quote(strings.Join(l.brokers, ",")), base.Quote(e.Topic), e.Partition, e.Offset))
	}
	if last := list[len(list)-1]; last.Decision != deliverylog.DeadLettered {
		command("send it again", fmt.Sprintf("%s alerts resend %s", self, base.Quote(brief(last.Delivery))))
	}
	for _, r := range list {
		if r.Decision == deliverylog.DeadLettered {
			command("its dead letter", fmt.Sprintf("%s dlq show %s", self, base.Quote(brief(r.Delivery))))
		}
	}
}

package alerts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/topics"
)

const aboutResend = `Send an alert again whose delivery has ended: as it was raised, to the channel it went to, or with
--to to another. The message says that a person sent it again; throttle and expiry do not apply.
For a dead letter use 'dlq replay'.

The command copies nothing itself: it writes one request to the group's replay topic, and a
notifier puts the alert into the channel's outbox. An alert is available while its outbox has its
record (30 days).`

// resend is one run of 'alerts resend'.
type resend struct {
	base.Consent
	to, comment string
	g           *base.Globals
}

func newResend(g *base.Globals) *cobra.Command {
	s := resend{g: g}
	cmd := &cobra.Command{
		Use: "resend ID", Short: "Send an alert again", Long: aboutResend, Args: base.OneArg("the id of an alert or of a delivery"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkID(args[0]); err != nil {
				return err
			}
			return s.run(cmd.Context(), args[0])
		},
	}
	s.Flags(cmd)
	cmd.Flags().StringVar(&s.to, "to", "", "to this `CHANNEL`")
	cmd.Flags().StringVarP(&s.comment, "comment", "m", "", "a comment for the log of the notifier")
	base.Complete(cmd, "to", g.ChannelNames)
	base.Complete(cmd, "comment", base.NoWords)
	cmd.ValidArgsFunction = completeID(g)
	return cmd
}

func (s *resend) run(ctx context.Context, id string) error {
	if err := errors.Join(s.checkChannel(), s.Possible(s.g)); err != nil {
		return err
	}
	l, err := openLog(s.g, ctx, replay.ClientOptions(kafka.MaxEnvelope)...)
	if err != nil {
		return err
	}
	defer l.client.Close()
	list, err := l.find(ctx, id)
	if err != nil {
		return err
	}
	to, last, err := s.destination(id, list)
	if err != nil {
		return err
	}
	admin := kadm.NewClient(l.client)
	q, err := s.request(ctx, admin, l, list, to)
	if err != nil {
		return err
	}
	s.plan(list[len(list)-1], to, last)
	if ok, err := s.Ask(ctx, s.g, "send it again to "+to); !ok {
		return err
	}
	if err := l.client.ProduceSync(ctx, q.Record(l.group)).FirstErr(); err != nil {
		return fmt.Errorf("write the request to %s: %w", topics.Replay(l.group), err)
	}
	return s.report(ctx, admin, l.group, q)
}

// checkChannel checks --to, if the configuration can be read.
func (s *resend) checkChannel() error {
	if s.to == "" {
		return nil
	}
	if !envelope.IsID(s.to) {
		return base.Misused("--to %q cannot be a channel", s.to)
	}
	src := s.g.Source()
	l, faults, err := config.Load(src)
	if err != nil || len(faults.Errors()) > 0 || l.Channels.Get(s.to) != nil {
		return nil
	}
	if near := suggest.Closest(s.to, l.Channels.Names()); near != "" {
		return base.Misused("there is no channel %s, did you mean %s?", s.to, near)
	}
	return base.Misused("there is no channel %s: choose from %s", s.to, strings.Join(l.Channels.Names(), ", "))
}

// destination returns the channel to send to and what became of the alert there last;
// nil: it was not sent there.
func (s *resend) destination(id string, list []*deliverylog.Record) (string, *deliverylog.Record, error) {
	last := make(map[string]*deliverylog.Record)
	var channels []string
	named := ""
	for _, r := range list {
		if last[r.Channel] == nil {
			channels = append(channels, r.Channel)
		}
		last[r.Channel] = r
		if strings.HasPrefix(r.Delivery, id) {
			named = r.Channel
		}
	}
	switch {
	case s.to != "":
		return s.to, last[s.to], nil
	case named == "" && len(channels) == 1:
		named = channels[0]
	case named == "":
		return "", nil, base.Misused("the alert went to several channels: use --to with one of %s, or the id of a delivery", strings.Join(channels, ", "))
	}
	if r := last[named]; r.Decision == deliverylog.DeadLettered {
		return "", nil, base.Fail(base.ExitFailed, "it is a dead letter: replay it with '%s dlq replay %s', or send it to another channel with --to", s.g.Self(), base.Quote(brief(r.Delivery)))
	}
	return named, last[named], nil
}

// request returns the request with the first outbox that still has the alert, the
// latest delivery first.
func (s *resend) request(ctx context.Context, admin *kadm.Client, l *log, list []*deliverylog.Record, to string) (*replay.Resend, error) {
	reader := dlq.NewLog(l.client)
	var failed error
	for _, r := range slices.Backward(list) {
		q := &replay.Resend{
			Alert: r.Alert, Channel: to, Outbox: r.Channel, TopicID: r.Outbox.TopicID, Partition: r.Outbox.Partition, Offset: r.Outbox.Offset,
			By: base.User(), Comment: s.comment,
		}
		rec, err := q.Read(ctx, admin, reader, l.group)
		if err == nil {
			_, err = q.From(rec)
		}
		if err == nil {
			return q, nil
		}
		failed = err
	}
	return nil, fmt.Errorf("no outbox has the alert any longer (%w)", failed)
}

func (s *resend) plan(r *deliverylog.Record, to string, last *deliverylog.Record) {
	before := "where it was not sent before"
	if last != nil {
		before = fmt.Sprintf("where it was %s at %s", last.Decision, term.Stamp(last.Ended))
	}
	fmt.Fprintf(s.g.IO.Err, "alert %s, %s: %s\nto %s, %s\n", brief(r.Alert), r.Severity, term.Visible(term.Cut(r.Title, 200)), term.Visible(to), term.Visible(before))
}

// report says what happens next.
func (s *resend) report(ctx context.Context, admin *kadm.Client, group string, q *replay.Resend) error {
	outboxes := topics.OutboxGroup(group)
	text := fmt.Sprintf("requested; see what becomes of it: %s alerts show %s", s.g.Self(), base.Quote(brief(q.Alert)))
	groups, err := admin.DescribeGroups(ctx, outboxes)
	running := err != nil || groups[outboxes].Err != nil || len(groups[outboxes].Members) > 0 // else it is not known
	if !running {
		text = fmt.Sprintf("requested; no notifier is running in group %s: the alert is sent when one starts", group)
	}
	if s.g.JSON() {
		return base.NewEncoder(s.g.IO.Out).Encode(map[string]any{"alert": q.Alert, "to": q.Channel, "running": running, "message": text})
	}
	fmt.Fprintln(s.g.IO.Err, text)
	return nil
}

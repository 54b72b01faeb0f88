package alerts

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/term"
)

// selection has the flags that select deliveries.
type selection struct {
	rules, channels, severities, decisions, keys []string
}

func (s *selection) flags(g *base.Globals, cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&s.rules, "rule", nil, "of these rules")
	f.StringSliceVar(&s.channels, "channel", nil, "in these channels")
	f.StringSliceVar(&s.severities, "severity", nil, "with these severities: "+strings.Join(words(alert.Severities()), ", "))
	f.StringSliceVar(&s.decisions, "decision", nil, "with these decisions: "+strings.Join(words(deliverylog.Decisions()), ", "))
	f.StringArrayVar(&s.keys, "key", nil, "with this alert key, whole (ACC-7/NVDA) or one `PART` of it (ACC-7); can be repeated")
	base.Complete(cmd, "rule", g.RuleNames)
	base.Complete(cmd, "channel", g.ChannelNames)
	base.Complete(cmd, "severity", base.Words(words(alert.Severities())...))
	base.Complete(cmd, "decision", base.Words(words(deliverylog.Decisions())...))
	base.Complete(cmd, "key", base.NoWords)
}

func words[T ~string](values []T) []string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = string(v)
	}
	return list
}

// check checks the flags with fixed words.
func (s *selection) check() error {
	for _, list := range []struct {
		flag          string
		given, choice []string
	}{
		{"severity", s.severities, words(alert.Severities())},
		{"decision", s.decisions, words(deliverylog.Decisions())},
	} {
		for _, v := range list.given {
			if slices.Contains(list.choice, v) {
				continue
			}
			if near := suggest.Closest(v, list.choice); near != "" {
				return base.Misused("--%s %q is not known: did you mean %s?", list.flag, v, near)
			}
			return base.Misused("--%s %q is not known: choose from %s", list.flag, v, strings.Join(list.choice, ", "))
		}
	}
	return nil
}

// selects reports whether a delivery is selected.
func (s *selection) selects(r *deliverylog.Record) bool {
	return contains(s.rules, r.Rule) && contains(s.channels, r.Channel) && contains(s.severities, r.Severity) && contains(s.decisions, string(r.Decision)) && s.selectsKey(r)
}

func (s *selection) selectsKey(r *deliverylog.Record) bool {
	return len(s.keys) == 0 || slices.ContainsFunc(s.keys, func(key string) bool { return key == r.KeyText() || slices.Contains(r.Key, key) })
}

// mayHave returns what tells without decoding that a record has none of the words; nil:
// any record may have.
func mayHave(words []string) func(*kgo.Record) bool {
	if len(words) == 0 {
		return nil
	}
	return func(r *kgo.Record) bool {
		return slices.ContainsFunc(words, func(w string) bool { return bytes.Contains(r.Value, []byte(w)) })
	}
}

// period is --since and --until.
type period struct {
	sinceText, untilText string
	since, until         time.Time
}

func (p *period) flags(cmd *cobra.Command, since string) {
	cmd.Flags().StringVar(&p.sinceText, "since", since, "ended since `WHEN`: a duration (2h) or a time (RFC 3339)")
	cmd.Flags().StringVar(&p.untilText, "until", "", "ended before `WHEN`: a duration (2h) or a time (RFC 3339)")
	base.Complete(cmd, "since", base.NoWords)
	base.Complete(cmd, "until", base.NoWords)
}

func (p *period) parse(now time.Time) (err error) {
	if p.since, err = base.ParseWhen(p.sinceText, now); err != nil {
		return base.Misused("--since: %w", err)
	}
	if p.until, err = base.ParseWhen(p.untilText, now); err != nil {
		return base.Misused("--until: %w", err)
	}
	if !p.until.IsZero() && !p.since.Before(p.until) {
		return base.Misused("--since %s is not before --until %s", p.sinceText, p.untilText)
	}
	return nil
}

// noneText is the message when none of seen deliveries is selected.
func (p *period) noneText(seen int) string {
	text := "no delivery has ended"
	if seen > 0 {
		text = "these filters match none of " + plural.Verb(seen, "delivery", "deliveries")
	}
	if p.sinceText != "" {
		text += " since " + term.Stamp(p.since)
	}
	if p.untilText != "" {
		text += " until " + term.Stamp(p.until)
	}
	return text
}

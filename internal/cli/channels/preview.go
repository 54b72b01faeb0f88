package channels

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/registry"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/safefile"
	"github.com/algotrade/notifier/internal/suggest"
)

const aboutPreview = `Show what a channel would send for a rule: the request's headers and body or the mail, and on standard
error its lengths against the limits and what was cut. Nothing is sent, and secrets are not shown: a signature
is shown as made.

The event is a sample that raises the rule, or for --state resolved one that ends it, unless --sample or
--event names one: a file, or a record of a source topic, for which brokers are needed. The HTML of a mail is
in -o json, and in the file of --html. -o json has the requests as they would be sent.`

// preview is one run of 'channels preview'.
type preview struct {
	g                         *base.Globals
	rule, sample, file, state string
	html                      string
	digest                    int
}

// The states that --state takes.
var previewStates = []string{"firing", "reminder", "resolved"}

func newPreview(g *base.Globals) *cobra.Command {
	p := preview{g: g}
	cmd := &cobra.Command{
		Use: "preview NAME --rule RULE", Short: "Show what a channel would send for a rule", Long: aboutPreview,
		Args: base.OneArg("a channel"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case !slices.Contains(previewStates, p.state):
				return base.Misused("--state %q is not one of %s", p.state, strings.Join(previewStates, ", "))
			case cmd.Flags().Changed("digest") && (p.digest < 2 || p.digest > 100_000):
				return base.Misused("--digest takes a number of alerts from 2 to 100,000")
			case p.file != "" && p.sample != "":
				return base.Misused("use either --event or --sample")
			}
			return p.run(cmd.Context(), args[0])
		},
	}
	f := cmd.Flags()
	f.StringVar(&p.rule, "rule", "", "the `RULE` that raises the alert")
	f.StringVar(&p.sample, "sample", "", "the sample `NAME`, such as order.rejected")
	f.StringVar(&p.file, "event", "", "an event from `FILE` (- is standard input): one JSON document; or TOPIC/PARTITION@OFFSET")
	f.StringVar(&p.html, "html", "", "write the HTML of a mail to `FILE`")
	f.StringVar(&p.state, "state", "firing", "`STATE` of the alert: firing, reminder (after 2 h) or resolved (after 12 m)")
	f.IntVar(&p.digest, "digest", 0, "a digest of `N` alerts")
	base.Complete(cmd, "rule", g.RuleNames)
	base.Complete(cmd, "sample", g.SampleNames)
	base.Complete(cmd, "state", base.Words(previewStates...))
	return cmd
}

func (p *preview) run(ctx context.Context, name string) error {
	l, err := p.g.Load(p.g.Source())
	if err != nil {
		return err
	}
	c := l.Channels.Get(name)
	if c == nil {
		return unknownChannel(name, l.Channels.Names())
	}
	r, err := findRule(l.Rules, p.rule, name)
	if err != nil {
		return err
	}
	m, err := p.message(ctx, l, r)
	if err != nil {
		return err
	}
	ch, err := c.Build(name, registry.Deps{Console: p.g.IO.Out, Redactor: p.g.Redactor})
	if err != nil {
		return err
	}
	defer ch.(io.Closer).Close()
	shown, err := ch.(channel.Previewer).Preview(m)
	if err != nil {
		return err
	}
	if p.html != "" {
		if err := writeHTML(p.html, name, shown); err != nil {
			return err
		}
	}
	if p.g.JSON() {
		return base.NewEncoder(p.g.IO.Out).Encode(previewJSON{name, c.Kind, c.Destination(), shown, omitted(m, shown)})
	}
	return p.print(m, shown)
}

// writeHTML writes the HTML of a mail to a file.
func writeHTML(path, name string, shown channel.Preview) error {
	i := slices.IndexFunc(shown.Parts, func(part channel.Part) bool { return part.Name == "html" })
	if i < 0 {
		return base.Misused("--html: %s sends no mail", name)
	}
	f, err := safefile.Replace(path)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, safefile.Reason(err))
	}
	defer f.Abandon()
	if _, err := f.WriteString(shown.Parts[i].Content); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, safefile.Reason(err))
	}
	return f.Commit()
}

// previewJSON is the JSON of a preview; the names are a contract.
type previewJSON struct {
	Channel     string `json:"channel"`
	Kind        string `json:"kind"`
	Destination string `json:"destination"`
	channel.Preview
	Cut []string `json:"cut"` // parts of the alert that are not whole in what is sent
}

// print prints the parts, and what is to be known of them on standard error.
func (p *preview) print(m channel.Message, shown channel.Preview) error {
	for i, part := range shown.Parts {
		if part.Name == "html" {
			continue
		}
		if len(shown.Parts) > 1 {
			if i > 0 {
				fmt.Fprintln(p.g.IO.Out)
			}
			fmt.Fprintln(p.g.IO.Out, part.Name+":")
		}
		fmt.Fprintln(p.g.IO.Out, strings.TrimRight(alert.VisibleLines(part.Content), "\n"))
	}
	width := 0
	for _, n := range shown.Lengths {
		width = max(width, len(n.Of))
	}
	note := func(of, text string) { fmt.Fprintf(p.g.IO.Err, "  %-*s  %s\n", width, of, text) }
	for _, n := range shown.Lengths {
		limit := ""
		if n.Limit > 0 {
			limit = " of " + humanize.Comma(int64(n.Limit))
		}
		note(n.Of, humanize.Comma(int64(n.Is))+limit+" "+n.Unit)
	}
	note("cut", cmp.Or(strings.Join(omitted(m, shown), ", "), "nothing"))
	fmt.Fprintln(p.g.IO.Err, "nothing was sent")
	return nil
}

// findRule returns the rule called name.
func findRule(set *rule.Set, name, to string) (rule.Rule, error) {
	var names, own []string
	for _, r := range set.Rules() {
		if r.Name == name {
			return r, nil
		}
		names = append(names, r.Name)
		if slices.Contains(r.Channels, to) {
			own = append(own, r.Name)
		}
	}
	if name == "" {
		return rule.Rule{}, base.Misused("--rule is needed: rules that send to %s are %s", to, strings.Join(own, ", "))
	}
	if near := suggest.Closest(name, names); near != "" {
		return rule.Rule{}, base.Misused("there is no rule %s, did you mean %s?", name, near)
	}
	return rule.Rule{}, base.Misused("there is no rule %s: choose from %s", name, strings.Join(names, ", "))
}

// message returns the message for an alert of r.
func (p *preview) message(ctx context.Context, l *config.Loaded, r rule.Rule) (channel.Message, error) {
	a, value, err := p.raise(ctx, l, r)
	if err != nil {
		return channel.Message{}, err
	}
	if a.EventTime.IsZero() {
		a.EventTime = time.Now()
	}
	a.ID = alert.NewID("preview", alert.Source{Topic: a.Topic}, a.Rule)
	m := channel.Message{
		Delivery: alert.NewDelivery(a.ID, "preview"), Alert: a, Event: value, Now: a.EventTime.Add(time.Second), Zone: l.Rules.Zone(),
	}
	switch p.state {
	case "resolved":
		m.Alert.State, m.Since = alert.Resolved, a.EventTime.Add(-12*time.Minute)
	case "reminder":
		m.Reminder, m.Since, m.Now = true, a.EventTime, a.EventTime.Add(2*time.Hour)
	}
	if p.digest > 0 {
		d := &channel.Digest{Group: a.GroupParts(), Groups: 1, Alerts: p.digest, New: p.digest - 1, First: a.EventTime}
		for i := range min(p.digest-1, l.Rules.Digest().MaxItems) {
			item := m.Alert
			item.EventTime = a.EventTime.Add(30*time.Second - time.Duration(i)*time.Second)
			d.Items = append(d.Items, item)
		}
		d.Last = d.Items[0].EventTime
		m.Digest, m.Now = d, d.Last.Add(time.Second)
	}
	return m, nil
}

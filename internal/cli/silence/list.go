package silence

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/silence"
	"github.com/algotrade/notifier/internal/term"
)

func newList(g *base.Globals) *cobra.Command {
	all := false
	cmd := &cobra.Command{
		Use: "list", Short: "List silences and what they suppressed", Args: base.NoArgs,
		Long: "List silences and what they suppressed in all channels, the one that ends first last.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			st, err := open(cmd.Context(), g)
			if err != nil {
				return err
			}
			defer st.client.Close()
			list, err := st.read(cmd.Context())
			if err != nil {
				return err
			}
			now := time.Now()
			ended := len(list)
			if !all {
				list = slices.DeleteFunc(list, func(one silence.Listed) bool { return !one.Active(now) })
			}
			if ended -= len(list); len(list) == 0 {
				text := "nothing is silenced"
				if ended > 0 {
					text += fmt.Sprintf("; what has ended: %s silence list --all", g.Self())
				}
				fmt.Fprintln(g.IO.Err, text)
				return nil
			}
			return write(g, list, now)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "also those that have ended, for 7 days")
	return cmd
}

// The columns of the list. The conditions are below each row, where they are readable.
const (
	columnBy         = 2
	columnSuppressed = 3
	columnComment    = 5
)

func write(g *base.Globals, list []silence.Listed, now time.Time) error {
	if g.JSON() {
		objects := make([]object, len(list))
		for i, one := range list {
			objects[i] = objectOf(one, now)
		}
		return base.EncodeAll(g.IO.Out, objects)
	}
	t := term.Table{
		Head:     []string{"ID", "ENDS", "BY", "SUPPRESSED", "LAST", "COMMENT"},
		Elastic:  []int{columnComment, columnBy},
		Optional: []int{columnBy},
		Right:    []int{columnSuppressed},
	}
	for _, one := range list {
		t.Add(one.ID, endText(one, now), one.By, humanize.Comma(int64(one.Suppressed.Count)), lastText(one.Suppressed.Last), one.Comment)
		match := one.MatchText()
		if one.Critical {
			match += " (critical alerts too)"
		}
		t.Note(match)
	}
	t.Write(g.IO.Out, g.Width())
	return nil
}

func endText(one silence.Listed, now time.Time) string {
	switch {
	case one.Active(now):
		return one.Ends.Local().Format("02 Jan 15:04")
	case one.ExpiredBy != "":
		return "expired"
	}
	return "ended"
}

func lastText(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.Local().Format("02 Jan 15:04")
}

// object is the JSON of a silence; the names are a contract.
type object struct {
	ID         string         `json:"id"`
	Match      []string       `json:"match"`
	Created    time.Time      `json:"created"`
	Ends       time.Time      `json:"ends"`
	Active     bool           `json:"active"`
	By         string         `json:"by"`
	Comment    string         `json:"comment"`
	Critical   bool           `json:"critical"`
	ExpiredBy  string         `json:"expired_by,omitempty"`
	Suppressed int            `json:"suppressed"`
	Last       *time.Time     `json:"last,omitempty"`
	Channels   map[string]int `json:"channels"` // suppressed in each
}

func objectOf(one silence.Listed, now time.Time) object {
	o := object{
		ID: one.ID, Created: one.Created, Ends: one.Ends, Active: one.Active(now), By: one.By, Comment: one.Comment, Critical: one.Critical,
		ExpiredBy: one.ExpiredBy, Suppressed: one.Suppressed.Count, Last: base.OptionalTime(one.Suppressed.Last), Channels: one.Channels,
	}
	for _, m := range one.Match {
		o.Match = append(o.Match, m.String())
	}
	return o
}

func newExpire(g *base.Globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "expire ID…", Short: "End silences before their time",
		Long: "End silences before their time. Alerts are sent again from then on; each channel is told how many\n" +
			"were suppressed. An ended silence cannot begin again: add another.",
		RunE: func(cmd *cobra.Command, ids []string) error {
			if len(ids) == 0 {
				return base.Misused("%s takes the ids of silences: see '%s silence list'", cmd.CommandPath(), g.Self())
			}
			st, err := open(cmd.Context(), g)
			if err != nil {
				return err
			}
			defer st.client.Close()
			all, err := st.read(cmd.Context())
			if err != nil {
				return err
			}
			now := time.Now().UTC()
			var chosen []silence.Listed
			for _, id := range ids {
				one, err := find(all, id)
				switch {
				case err != nil:
					return err
				case !one.Active(now):
					return fmt.Errorf("silence %s has ended at %s", one.ID, stamp(one.Ends))
				}
				chosen = append(chosen, one)
			}
			for _, one := range chosen {
				one.Ends, one.ExpiredBy = now, base.User()
				if err := st.state.Write(cmd.Context(), one.Record()); err != nil {
					return st.explain(err)
				}
				if g.JSON() {
					err = base.NewEncoder(g.IO.Out).Encode(objectOf(one, now))
				} else {
					_, err = fmt.Fprintf(g.IO.Out, "%s expired, %s suppressed\n", one.ID, strconv.Itoa(one.Suppressed.Count))
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.ValidArgsFunction = completeIDs(g)
	return cmd
}

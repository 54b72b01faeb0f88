// Package dlq is the command dlq: it lists, shows, replays, discards, exports and imports
// dead letters.
package dlq

import (
	"context"
	"fmt"
	"hash/maphash"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/term"
)

func New(g *base.Globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "dlq", Short: "List, replay and discard dead letters", Args: base.Subcommand, RunE: base.Help,
		Long: "List, replay and discard dead letters. Start with 'dlq stats', which groups them by cause.",
	}
	cmd.AddCommand(newStats(g), newList(g), newShow(g), newReplay(g), newDiscard(g), newExport(g), newImport(g), newWatch(g))
	return cmd
}

// store has the dead letters of a group.
type store struct {
	*dlq.Reader
	client *kgo.Client
	group  string
}

// openStore connects to the dead letters of the configured group. The caller closes the
// client.
func openStore(g *base.Globals, ctx context.Context, more ...kgo.Opt) (*store, error) {
	c, err := g.Kafka()
	if err != nil {
		return nil, err
	}
	opts := kafka.DeadLetterOptions(func(string) int32 { return kafka.MaxEnvelope })
	cl, err := g.Reach(ctx, c, "dlq", append(opts, more...)...)
	if err != nil {
		return nil, err
	}
	return &store{Reader: dlq.NewReader(cl, c.Group), client: cl, group: c.Group}, nil
}

// withStore calls run with the dead letters and the filter of the flags.
func (s *selection) withStore(g *base.Globals, cmd *cobra.Command, ids []string, run func(context.Context, *store, *filter) error) error {
	f, err := s.filter(ids, time.Now())
	if err != nil {
		return err
	}
	st, err := openStore(g, cmd.Context())
	if err != nil {
		return err
	}
	defer st.client.Close()
	return run(cmd.Context(), st, f)
}

// printGroups prints groups of dead letters, each with an example.
func printGroups(w io.Writer, width int, groups []*dlq.Group) {
	const most = 20
	shown := groups[:min(len(groups), most)]
	t := term.Table{Head: []string{"COUNT", "REASON", "CAUSE", "RULES", "CHANNEL", "FINGERPRINT"}, Elastic: []int{2, 3, 4, 5}, Optional: []int{1}, Right: []int{0}}
	for _, group := range shown {
		t.Add(humanize.Comma(int64(group.Count)), reasonOf(group), term.OrDash(string(group.Cause)), term.OrDash(strings.Join(group.Rules, " ")), term.OrDash(group.Channel), group.Fingerprint)
		t.Note(group.Detail)
	}
	t.Write(w, width)
	if more := groups[len(shown):]; len(more) > 0 {
		n := 0
		for _, group := range more {
			n += group.Count
		}
		fmt.Fprintf(w, "and %s in %s\n", plural.Count(n, "dead letter"), plural.Count(len(more), "other group"))
	}
}

// reasonOf returns a group's reason for display.
func reasonOf(group *dlq.Group) string {
	if group.Reason == "" {
		return string(dlq.Malformed)
	}
	return string(group.Reason)
}

// longID is the length of an abbreviated id that is unique among millions.
const longID = 12

// brief abbreviates an id to at most n bytes.
func brief(id string, n int) string {
	if len(id) <= n {
		return id
	}
	for n > 0 && !utf8.RuneStart(id[n]) {
		n--
	}
	return id[:n]
}

// idSet is a set of entries by topic and id, as 64-bit hashes to save memory.
type idSet struct {
	seed   maphash.Seed
	hashes map[uint64]struct{}
}

func newIDSet() idSet { return idSet{maphash.MakeSeed(), make(map[uint64]struct{})} }

func (s idSet) hash(topic, id string) uint64 { return maphash.Comparable(s.seed, [2]string{topic, id}) }

func (s idSet) add(topic, id string) { s.hashes[s.hash(topic, id)] = struct{}{} }

func (s idSet) has(topic, id string) bool {
	_, ok := s.hashes[s.hash(topic, id)]
	return ok
}

// remove removes an entry and reports whether it was in the set.
func (s idSet) remove(topic, id string) bool {
	had := s.has(topic, id)
	delete(s.hashes, s.hash(topic, id))
	return had
}

func (s idSet) len() int { return len(s.hashes) }

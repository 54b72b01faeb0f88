package dlq

import (
	"context"
	"hash/maphash"
	"log/slog"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/kafka"
)

func New(g *base.Globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "dlq", Short: "Look at what could not be handled, send it again, close it", Args: base.Subcommand, RunE: base.Help,
		Long: "Look at what could not be handled, send it again, close it. Start with 'dlq stats': it groups dead\n" +
			"letters by what went wrong.",
	}
	cmd.AddCommand(newStats(g), newList(g), newShow(g), newReplay(g), newDiscard(g), newExport(g), newImport(g), newWatch(g))
	return cmd
}

// writer returns a writer of dead letters, for entries to be closed.
func (l *letters) writer() *dlq.Writer {
	return dlq.NewWriter(dlq.WriterParams{Client: l.client, Group: l.group, Logger: slog.New(slog.DiscardHandler)})
}

// longID is how much of an id is shown where not all others are known: enough
// for millions.
const longID = 12

// brief returns the beginning of an id, of n bytes at most, that means it when
// it is typed.
func brief(id string, n int) string {
	if len(id) <= n {
		return id
	}
	for n > 0 && !utf8.RuneStart(id[n]) {
		n--
	}
	return id[:n]
}

// idSet is a set of entries by topic and id. It holds hashes of 64 bits: the
// texts of a million would take five times as much.
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

// remove takes an entry out and reports whether it was in.
func (s idSet) remove(topic, id string) bool {
	had := s.has(topic, id)
	delete(s.hashes, s.hash(topic, id))
	return had
}

func (s idSet) len() int { return len(s.hashes) }

// letters is the dead letters of a group, on a cluster that answers.
type letters struct {
	*dlq.Reader
	client *kgo.Client
	group  string
}

// letters returns the dead letters of the configured group. Whoever gets
// them closes their client.
func openLetters(g *base.Globals, ctx context.Context, more ...kgo.Opt) (*letters, error) {
	c, err := g.Kafka()
	if err != nil {
		return nil, err
	}
	opts := kafka.DeadLetterOptions(func(string) int32 { return kafka.MaxEnvelope })
	cl, err := g.Reach(ctx, c, "dlq", append(opts, more...)...)
	if err != nil {
		return nil, err
	}
	return &letters{Reader: dlq.NewReader(cl, c.Group), client: cl, group: c.Group}, nil
}

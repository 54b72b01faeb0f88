package cli

import (
	"hash/maphash"
	"log/slog"
	"os"
	"os/user"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/dlq"
)

func newDLQ(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "dlq", Short: "Look at what could not be handled, send it again, close it", Args: subcommand, RunE: help,
		Long: "Look at what could not be handled, send it again, close it. Start with 'dlq stats': it groups dead\n" +
			"letters by what went wrong.",
	}
	cmd.AddCommand(newDLQStats(g), newDLQList(g), newDLQShow(g), newDLQReplay(g), newDLQDiscard(g), newDLQExport(g), newDLQImport(g), newDLQWatch(g))
	return cmd
}

// writer returns a writer of dead letters, for entries to be closed.
func (l *letters) writer() *dlq.Writer {
	return dlq.NewWriter(l.client, l.group, slog.New(slog.DiscardHandler), nil)
}

// whoAmI is who a dead letter's audit trail says it was: user@host.
func whoAmI() string {
	name := os.Getenv("USER")
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	if name == "" {
		name = "somebody"
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return name + "@" + host
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

// argument returns an id as it is typed in a shell, as the last argument: ids
// of malformed entries are whatever somebody wrote.
func argument(id string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.:@/+", r)
	}
	word := id
	if strings.IndexFunc(id, func(r rune) bool { return !plain(r) }) >= 0 {
		word = "'" + strings.ReplaceAll(id, "'", `'\''`) + "'"
	}
	if strings.HasPrefix(id, "-") {
		return "-- " + word
	}
	return word
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

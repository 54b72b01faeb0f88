// Command chaos runs notifier daemons against a real Kafka of three nodes, a
// real mail server and a receiver of webhooks, breaks one of them after the
// other under load, and compares every event that was produced with every
// delivery that arrived and every dead letter. Each kind of fault is a row of
// its report; it ends with 1 when one of them lost an event, broke the order
// of a key, or more duplicates than are allowed.
//
// Everything runs on 127.0.0.1. Start it in the repository's
// root, as root: Postfix changes to users of its own, and full disks are small
// file systems in memory. Start reading at stage.play, then ledger.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

type options struct {
	binary, rows, output, dir  string
	short, list, alerts        bool
	seed                       uint64
	soak, hostile, late, story time.Duration
}

func run(ctx context.Context, args []string, out, errs io.Writer) int {
	var o options
	f := flag.NewFlagSet("chaos", flag.ContinueOnError)
	f.SetOutput(errs)
	f.StringVar(&o.binary, "notifier", filepath.Join("dist", "notifier"), "the program")
	f.StringVar(&o.rows, "rows", "", "only these rows, separated by commas")
	f.BoolVar(&o.short, "short", false, "the rows that matter most, in their short form")
	f.BoolVar(&o.list, "list", false, "say which rows there are")
	f.StringVar(&o.output, "o", "text", "text, or markdown for the documentation")
	f.StringVar(&o.dir, "dir", "", "keep logs and data in this directory")
	f.Uint64Var(&o.seed, "seed", 0, "draw as in the run that printed this seed")
	f.BoolVar(&o.alerts, "alerts", false, "instead of the rows: cause what every alerting rule is about, and see it fire and resolve; -rows names some of them")
	f.DurationVar(&o.soak, "soak", 0, "instead of the rows: one daemon at a steady rate for so long")
	f.DurationVar(&o.hostile, "hostile", 0, "instead of the rows: one daemon for so long among hostile producers, providers and clients; -rows names classes of records")
	f.DurationVar(&o.story, "story", 0, "instead of the rows: a venue outage of so long, with the shipped rules and a Slack that takes a message a second; what people got to read")
	f.DurationVar(&o.late, "late", lateAfter, "of -hostile: how long a planted alert may take; more on a machine that is shared")
	if err := f.Parse(args); err != nil {
		return 2
	}
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	play := perform
	switch {
	case o.hostile > 0:
		play = soakHostile
	case o.story > 0:
		play = tellStory
	case o.alerts:
		play = drillAlerts
	case o.list:
		play = list
	}
	ok, err := play(ctx, &o, out)
	if err != nil {
		fmt.Fprintln(errs, "chaos:", err)
	}
	if err != nil || !ok {
		return 1
	}
	return 0
}

// choose returns the rows that are meant.
func choose(o *options) ([]*row, error) {
	all := allRows()
	if o.rows == "" {
		return slices.DeleteFunc(all, func(r *row) bool { return o.short && !r.short }), nil
	}
	var chosen []*row
	for name := range strings.SplitSeq(o.rows, ",") {
		i := slices.IndexFunc(all, func(r *row) bool { return r.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no row %q: see -list", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// list says which rows are meant.
func list(_ context.Context, o *options, out io.Writer) (bool, error) {
	rows, err := choose(o)
	for _, r := range rows {
		fmt.Fprintf(out, "%-16s %s\n", r.name, r.what)
	}
	return err == nil, err
}

// perform sets the stage and plays the rows on it.
func perform(ctx context.Context, o *options, out io.Writer) (ok bool, err error) {
	began := time.Now()
	rows, err := choose(o)
	if err != nil {
		return false, err
	}
	st := &stage{short: o.short}
	if st.site, err = newSite(o, "chaos-", out); err != nil {
		return false, err
	}
	defer func() { st.leave(ok) }()
	_ = os.Chmod(st.dir, 0o755) // the mail server's users have to get in
	if err := st.set(ctx); err != nil {
		return false, err
	}
	defer st.strike()
	st.say("three nodes of Kafka %s and Postfix after %.0f s; seed %d; logs in %s", kafkaVersion(st.cluster), time.Since(began).Seconds(), o.seed, st.dir)
	if o.soak > 0 {
		return st.soak(ctx, o.soak, out)
	}
	head(out)
	var lines []*line
	ok = true
	for _, r := range rows {
		l := &line{row: r}
		begun := time.Now()
		l.scene, l.verdict, l.err = st.play(ctx, r)
		l.duration = time.Since(begun)
		l.text(out)
		lines = append(lines, l)
		ok = ok && l.ok()
		if ctx.Err() != nil {
			return false, errors.New("stopped")
		}
	}
	if o.output == "markdown" {
		fmt.Fprintln(out)
		markdown(out, lines)
	}
	st.say("%d rows in %s, seed %d", len(rows), time.Since(began).Round(time.Second), o.seed)
	return ok, nil
}

// set brings everything on stage that rows share.
func (st *stage) set(ctx context.Context) (err error) {
	if st.cluster, err = startCluster(ctx, filepath.Join(st.dir, "kafka")); err != nil {
		return err
	}
	if st.post, err = startPostfix(ctx, filepath.Join(st.dir, "smtp")); err != nil {
		return err
	}
	st.sink, err = newSink()
	return err
}

// strike takes it down again.
func (st *stage) strike() {
	if st.sink != nil {
		_ = st.sink.server.Close()
	}
	if st.post != nil {
		st.post.close()
	}
	if st.cluster != nil {
		st.cluster.close()
	}
}

func kafkaVersion(c *cluster) string {
	text, err := os.ReadFile(c.script)
	if err != nil {
		return ""
	}
	for l := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(l, "version="); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

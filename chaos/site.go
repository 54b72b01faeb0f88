package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// site is where a run takes place: a directory for logs and data, the program, and
// where the run reports.
type site struct {
	dir, binary string // absolute
	seed        uint64
	out         io.Writer
	kept        bool // the directory was given
}

// newSite returns the site that the options ask for. A directory that they do not
// give is a temporary one with this prefix; leave removes it.
func newSite(o *options, prefix string, out io.Writer) (s *site, err error) {
	s = &site{dir: o.dir, seed: o.seed, out: out, kept: o.dir != ""}
	if s.binary, err = filepath.Abs(o.binary); err != nil {
		return nil, err
	}
	if _, err := os.Stat(s.binary); err != nil {
		return nil, fmt.Errorf("%w: make build makes it", err)
	}
	if !s.kept {
		s.dir, err = os.MkdirTemp("", prefix)
		return s, err
	}
	if s.dir, err = filepath.Abs(s.dir); err != nil {
		return nil, err
	}
	return s, os.MkdirAll(s.dir, 0o755)
}

// leave removes a temporary directory after a run in which all was well.
func (s *site) leave(ok bool) {
	if ok && !s.kept {
		_ = os.RemoveAll(s.dir)
	}
}

func (s *site) say(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

// command runs one of notifier's commands on the configuration in the site's
// directory, and returns what it prints.
func (s *site) command(ctx context.Context, args ...string) (string, error) {
	return s.commandIn(ctx, s.dir, args...)
}

func (s *site) commandIn(ctx context.Context, dir string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.binary, append(args, "--config", filepath.Join(dir, "notifier.yaml"))...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("notifier %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}

// broker starts one node of Kafka in the site.
func (s *site) broker(ctx context.Context) (*node, error) {
	return startNode(ctx, filepath.Join(s.dir, "kafka"))
}

// client returns one that sends at once.
func (n *node) client(more ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(n.addr), kgo.MetadataMinAge(250 * time.Millisecond), kgo.DisableClientMetrics(), kgo.ProducerLinger(0),
	}, more...)...)
}

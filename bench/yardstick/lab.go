package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

const yardstickDir = "bench/yardstick"

// lab is what the cases share: a directory, the programs, the sink, and the
// Kafka node of the present case.
type lab struct {
	dir, notifier, python string
	sink                  *sink
	node                  *node
	next                  int // the next event id
}

func newLab(ctx context.Context) (l *lab, err error) {
	l = &lab{}
	if l.dir, err = os.MkdirTemp("", "yardstick-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if err := os.WriteFile(filepath.Join(l.dir, "rules.yaml"), []byte(rules), 0o600); err != nil {
		return nil, err
	}
	l.notifier = filepath.Join(l.dir, "notifier")
	if _, err := command(ctx, "go", "build", "-o", l.notifier, "./cmd/notifier"); err != nil {
		return nil, err
	}
	if l.python, err = installPeer(ctx); err != nil {
		return nil, err
	}
	l.sink, err = newSink()
	return l, err
}

func (l *lab) close() {
	if l.sink != nil {
		_ = l.sink.server.Close()
	}
	_ = os.RemoveAll(l.dir)
}

// installPeer installs the peer's packages once, into .cache (or
// $NOTIFIER_CACHE), and returns their Python.
func installPeer(ctx context.Context) (python string, err error) {
	requirements := filepath.Join(yardstickDir, "peer", "requirements.txt")
	text, err := os.ReadFile(requirements)
	if err != nil {
		return "", err
	}
	cache := os.Getenv("NOTIFIER_CACHE")
	if cache == "" {
		cache = ".cache"
	}
	dir := filepath.Join(cache, fmt.Sprintf("peer-%x", sha256.Sum256(text))[:13])
	python = filepath.Join(dir, "bin", "python")
	complete := filepath.Join(dir, ".complete")
	if _, err := os.Stat(complete); !errors.Is(err, os.ErrNotExist) {
		return python, err
	}
	if _, err := command(ctx, "python3", "-m", "venv", dir); err != nil {
		return "", err
	}
	if _, err := command(ctx, python, "-m", "pip", "install", "-q", "-r", requirements); err != nil {
		return "", err
	}
	return python, os.WriteFile(complete, nil, 0o600)
}

// measure runs a case on a node of its own: raw, peer and notifier in turn.
func (l *lab) measure(ctx context.Context, c benchCase, r *result, progress io.Writer) (err error) {
	if l.node, err = startNode(ctx, filepath.Join(l.dir, "kafka-"+c.name), max(1, r.Nodes)); err != nil {
		return err
	}
	defer l.node.stop()
	l.next = 1_000_000
	if c.prepare != nil {
		if err := c.prepare(ctx, l); err != nil {
			return err
		}
	}
	for i := range r.Runs {
		if c.raw != nil {
			v, err := c.raw(ctx, l)
			if err != nil {
				return err
			}
			r.add(c.name, "raw", v)
		}
		for _, name := range []string{peer, notifier} {
			if name == peer && c.channel != "" {
				continue
			}
			values, err := l.once(ctx, c, name, i)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			fmt.Fprintf(progress, "%s %s %d: %v\n", c.name, name, i+1, values)
			r.add(c.name, name, values)
		}
	}
	return nil
}

// once runs a case of one program.
func (l *lab) once(ctx context.Context, c benchCase, name string, i int) (values, error) {
	t := &trial{lab: l, name: name, group: fmt.Sprintf("%s-%s-%d", name, c.name, i), begin: "latest", channel: c.channel}
	if c.waiting {
		t.begin = "earliest"
		l.sink.expect(accept, 0, 0)
	}
	if err := t.start(ctx); err != nil {
		return nil, err
	}
	defer func() { t.program.end(os.Interrupt) }()
	if !c.waiting {
		if err := t.warm(ctx); err != nil {
			return nil, err
		}
	}
	return c.run(ctx, t)
}

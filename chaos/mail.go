package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// postfix is the mail server of scripts/smtp.sh behind a proxy. What it has
// accepted comes into a maildir and from there into the ledger.
type postfix struct {
	dir   string
	proxy *proxy
}

func startPostfix(ctx context.Context, dir string) (*postfix, error) {
	p, err := newProxy("smtp")
	if err != nil {
		return nil, err
	}
	m := &postfix{dir: dir, proxy: p}
	out, err := m.run(ctx, "start")
	if err != nil {
		return nil, err
	}
	return m, p.to(strings.TrimSpace(out))
}

func (m *postfix) run(ctx context.Context, verb string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join("scripts", "smtp.sh"), verb, m.dir)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return "", fmt.Errorf("smtp.sh %s: %w: %s", verb, err, errs.String())
	}
	return out.String(), nil
}

func (m *postfix) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, _ = m.run(ctx, "stop")
	m.proxy.cut()
}

// collect brings the mails that arrive into the ledger until ctx ends.
func (m *postfix) collect(ctx context.Context, l *sharedLedger) {
	for {
		m.sweep(l)
		if pause(ctx, 100*time.Millisecond) != nil {
			return
		}
	}
}

// received is a mail that the server has accepted.
type received struct {
	id, title string
	at        time.Time // when the server opened a file for it
	marked    bool
}

func (m *postfix) sweep(l *sharedLedger) {
	files, _ := filepath.Glob(filepath.Join(m.dir, "maildir", "new", "*"))
	var mails []received
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		got, err := readMail(raw)
		if err != nil {
			l.fault("a mail that cannot be read: %v", err)
		} else {
			mails = append(mails, got)
		}
		_ = os.Remove(file)
	}
	slices.SortFunc(mails, func(a, b received) int { return a.at.Compare(b.at) })
	for _, got := range mails {
		if d := l.arrived(mail, got.title, got.id, got.at); d != nil {
			l.took(d, got.at, got.marked)
		}
	}
}

var (
	queueID = regexp.MustCompile(`(?s)by localhost \(Postfix\) with E?SMTPS? id ([0-9B-Zb-z]+)`)
	soft    = regexp.MustCompile(`=\r?\n`) // line breaks of quoted-printable
	titleIs = regexp.MustCompile(`[^ ]+/[0-9]+`)
)

func readMail(raw []byte) (received, error) {
	msg, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return received{}, err
	}
	id, _, _ := strings.Cut(strings.Trim(msg.Header.Get("Message-Id"), "<>"), "@")
	got := received{id: id, title: titleIs.FindString(msg.Header.Get("Subject")), marked: bytes.Contains(soft.ReplaceAll(raw, nil), []byte("may be a duplicate"))}
	queued := queueID.FindStringSubmatch(msg.Header.Get("Received"))
	if queued == nil {
		return received{}, fmt.Errorf("no queue id in %q", msg.Header.Get("Received"))
	}
	got.at, err = queueTime(queued[1])
	return got, err
}

// queueTime reads the time out of one of Postfix's long queue ids: seconds in
// base 52, at least six characters, then microseconds in four, then "z" and
// the inode (see enable_long_queue_ids in postconf(5)).
func queueTime(id string) (time.Time, error) {
	const digits = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
	end := strings.LastIndexByte(id, 'z') // inodes are written without it
	if end < 10 {
		return time.Time{}, fmt.Errorf("%q is no long queue id", id)
	}
	number := id[:end]
	read := func(s string) (n int64) {
		for _, c := range s {
			n = 52*n + int64(strings.IndexRune(digits, c))
		}
		return n
	}
	cut := len(number) - 4
	return time.Unix(read(number[:cut]), 1000*read(number[cut:])), nil
}

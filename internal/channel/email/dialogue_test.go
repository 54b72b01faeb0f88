package email

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/channel/email/smtptest"
	"github.com/algotrade/notifier/internal/outcome"
)

func TestOnlyFailureAfterEndOfDataIsAmbiguous(t *testing.T) {
	for name, test := range map[string]struct {
		at, answer string
		want       outcome.Cause
	}{
		"dropped at MAIL":       {"MAIL", smtptest.DropNow, outcome.Unreachable},
		"dropped at RCPT":       {"RCPT", smtptest.DropNow, outcome.Unreachable},
		"no answer to RCPT":     {"RCPT", smtptest.HangNow, outcome.Unreachable},
		"dropped at DATA":       {"DATA", smtptest.DropNow, outcome.Unreachable},
		"dropped after the dot": {".", smtptest.DropNow, outcome.Reset},
		"no answer to the dot":  {".", smtptest.HangNow, outcome.Timeout},
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, smtptest.Raw(t, func(line string) string {
				if strings.HasPrefix(line, test.at) {
					return test.answer
				}
				return smtptest.Default(line)
			}), nil)
			if test.answer == smtptest.HangNow {
				c.hurry(test.at)
			}
			_, err := c.Send(t.Context(), message())
			if got := cause(err); got != test.want {
				t.Errorf("%v, want %s", err, test.want)
			}
			if outcome.Classify(err).Answered {
				t.Error("counts as answered")
			}
		})
	}
}

func TestConnectionLostInBodyIsUnambiguous(t *testing.T) {
	server := smtptest.Start(t, smtptest.Config{Body: func() error { return smtptest.ErrDrop }})
	c := open(t, server.Addr, nil)
	s, err := c.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := &composed{from: "alerts@example.com", bytes: []byte(strings.Repeat(strings.Repeat("x", 98)+"\r\n", 200_000))}
	_, err = s.transact(t.Context(), m, []string{"desk@example.com"}, time.Second)
	if e := classify(t.Context(), err); e.Cause != outcome.Unreachable || e.Detail != "body: connection lost" {
		t.Errorf("%v, want unreachable: body: connection lost", e)
	}
}

func TestCancelledSendIsAbandoned(t *testing.T) {
	for _, st := range []string{"RCPT", "."} {
		asked := make(chan struct{}, 1)
		addr := smtptest.Raw(t, func(line string) string {
			if strings.HasPrefix(line, st) {
				asked <- struct{}{}
				return smtptest.HangNow
			}
			return smtptest.Default(line)
		})
		c := open(t, addr, nil)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-asked; cancel() }()
		if _, err := c.Send(ctx, message()); cause(err) != outcome.Abandoned {
			t.Errorf("cancelled at %s: %v, want abandoned", st, err)
		}
	}
}

func TestDeadlineAfterEndOfDataIsAmbiguous(t *testing.T) {
	for st, want := range map[string]outcome.Cause{"RCPT": outcome.Unreachable, ".": outcome.Timeout} {
		ctx, pass := channeltest.Deadline(t.Context())
		addr := smtptest.Raw(t, func(line string) string {
			if strings.HasPrefix(line, st) {
				pass()
				return smtptest.HangNow
			}
			return smtptest.Default(line)
		})
		c := open(t, addr, nil)
		if _, err := c.Send(ctx, message()); cause(err) != want {
			t.Errorf("deadline at %q: %v, want %s", st, err, want)
		}
	}
}

func TestAcquireEndsWithContext(t *testing.T) {
	server := smtptest.Start(t, smtptest.Config{})
	c := open(t, server.Addr, func(c *Config) { c.Connections = 1 })
	if err := c.pool.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer c.pool.release()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Send(ctx, message()); cause(err) != outcome.Abandoned {
		t.Errorf("cancelled: %v, want abandoned", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := c.Send(ctx, message()); cause(err) != outcome.Unreachable {
		t.Errorf("out of time: %v, want unreachable", err)
	}
}

package clitest

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/testkafka"
)

// Main is cli.Run.
type Main func(ctx context.Context, args []string, io base.Streams) int

// On runs one command on a test's cluster.
func (m Main) On(t testing.TB, c *testkafka.Cluster, args ...string) Answer {
	t.Helper()
	return m.With(t, c, "", args...)
}

// With is On with standard input.
func (m Main) With(t testing.TB, c *testkafka.Cluster, in string, args ...string) Answer {
	t.Helper()
	return m.run(in, append([]string{"--brokers", strings.Join(c.Brokers, ","), "--group", c.Group}, args...))
}

// Local runs a command that needs no broker.
func (m Main) Local(t testing.TB, args ...string) Answer {
	t.Helper()
	return m.run("", args)
}

func (m Main) run(in string, args []string) Answer {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	code := m(ctx, args, base.Streams{In: strings.NewReader(in), Out: &out, Err: &errs})
	return Answer{Code: code, Out: out.String(), Err: errs.String()}
}

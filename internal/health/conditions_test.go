package health

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// stream is what a log writes to: leases end on goroutines of their own.
type stream struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *stream) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func newConditions() (*Conditions, *stream) {
	out := new(stream)
	return New(slog.New(slog.NewTextHandler(out, nil)), prometheus.NewPedanticRegistry()), out
}

func (c *Conditions) value(t Type) float64 {
	return testutil.ToFloat64(c.gauge.WithLabelValues(string(t)))
}

func TestConditionIsLoggedOnChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, out := newConditions()
		set := func(message string, level slog.Level) {
			c.Set(Condition{Type: Corrupt, Subject: "trades/3", Message: message, Level: level, Attrs: []any{"topic", "trades"}})
		}
		for range 3 * 60 {
			set("offset 7 cannot be decoded", 0)
			time.Sleep(time.Second)
		}
		set("offset 81 cannot be decoded", 0) // the same but for a number
		if n := strings.Count(out.String(), "batch is corrupt"); n != 1 {
			t.Errorf("logged %d times in three minutes:\n%s", n, out)
		}
		if v := c.value(Corrupt); v != 1 {
			t.Errorf("the metric is %v", v)
		}
		if got := c.Text(Partitions...); got != "trades/3: offset 81 cannot be decoded" || got != "trades/3: "+c.Message(Corrupt, "trades/3") {
			t.Errorf("readiness shows %q", got)
		}
		set("offsets 81 to 90 cannot be decoded", 0)
		set("offsets 81 to 90 cannot be decoded", slog.LevelError+1)
		if n := strings.Count(out.String(), "batch is corrupt"); n != 3 {
			t.Errorf("logged %d times, with another message and another level:\n%s", n, out)
		}
		c.Clear(Corrupt, "trades/3")
		c.Clear(Corrupt, "trades/3")
		if n := strings.Count(out.String(), `level=INFO msg="partition is read again" component=health topic=trades lasted=3m0s`); n != 1 {
			t.Errorf("its end is logged %d times:\n%s", n, out)
		}
		if v, text := c.value(Corrupt), c.Text(Partitions...); v != 0 || text != "" {
			t.Errorf("it is over, and the metric is %v, readiness shows %q", v, text)
		}
	})
}

func TestLeasedConditionEndsWithoutRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, out := newConditions()
		for range 5 {
			c.Set(Condition{Type: Denied, Subject: "group g", Message: "READ is not allowed", Lease: 15 * time.Second})
			time.Sleep(10 * time.Second)
		}
		if _, lasted := c.Longest(Denied); lasted != 40*time.Second {
			t.Errorf("it counts as %s: from the first call to the last are 40s", lasted)
		}
		time.Sleep(4 * time.Second)
		if c.Text(Groups...) == "" {
			t.Error("it ends before its lease")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if c.Text(Groups...) != "" || c.value(Denied) != 0 || !strings.Contains(out.String(), "authorized again") {
			t.Errorf("it does not end with its lease:\n%s", out)
		}
	})
}

func TestForgottenSubjectIsNotLogged(t *testing.T) {
	c, out := newConditions()
	c.Set(Condition{Type: Blocked, Subject: "trades/1", Message: "x"})
	c.Set(Condition{Type: Progress, Subject: "trades/1", Message: "y"})
	c.Set(Condition{Type: Blocked, Subject: "trades/2", Message: "z"})
	before := out.String()
	c.Forget("trades/1")
	if c.value(Blocked) != 1 || c.value(Progress) != 0 || out.String() != before {
		t.Errorf("blocked %v, progress %v, and it logs %s", c.value(Blocked), c.value(Progress), out.String()[len(before):])
	}
}

func TestKeepClearsOtherSubjects(t *testing.T) {
	c, _ := newConditions()
	for _, subject := range []string{"a", "b"} {
		c.Set(Condition{Type: OtherLag, Subject: subject, Message: "x"})
		c.Set(Condition{Type: Retention, Subject: subject, Message: "x"})
	}
	c.Keep(OtherLag, func(subject string) bool { return subject == "b" })
	if got := c.Text(OtherLag) + ", " + c.Text(Retention); got != "b: x, a: x; b: x" {
		t.Errorf("left are %s", got)
	}
}

func TestEveryTypeIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	for kind, text := range texts {
		if text.set == "" || text.cleared == "" {
			t.Errorf("%s has no log messages", kind)
		}
		if row := "\n| `" + string(kind) + "` | `" + text.set + "`: "; !strings.Contains(string(page), row) {
			t.Errorf("docs/troubleshooting.md has no row %s", row)
		}
	}
}

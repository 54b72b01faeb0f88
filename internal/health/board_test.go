package health

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func newBoard() (*Board, *bytes.Buffer) {
	var out bytes.Buffer
	return New(slog.New(slog.NewTextHandler(&out, nil)), prometheus.NewPedanticRegistry()), &out
}

func (b *Board) value(k Kind) float64 { return testutil.ToFloat64(b.gauge.WithLabelValues(string(k))) }

func TestATroubleIsSaidAtOnceThenOnceAMinuteAndOnceWhenItIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, out := newBoard()
		for range 3 * 60 { // three minutes, reported ten times a second
			for range 10 {
				b.Report(Trouble{Kind: Corrupt, Subject: "trades/3", Problem: "offset 7 cannot be decoded", Attrs: []any{"topic", "trades"}})
				time.Sleep(100 * time.Millisecond)
			}
			b.Tick()
		}
		if n := strings.Count(out.String(), "batch is corrupt"); n < 3 || n > 4 {
			t.Errorf("said %d times in three minutes:\n%s", n, out)
		}
		if v := b.value(Corrupt); v != 1 {
			t.Errorf("the metric is %v", v)
		}
		if got := b.Text(Partitions...); got != "trades/3: offset 7 cannot be decoded" {
			t.Errorf("readiness says %q", got)
		}
		b.Over(Corrupt, "trades/3")
		b.Over(Corrupt, "trades/3")
		if n := strings.Count(out.String(), `level=INFO msg="partition is read again" component=trouble topic=trades lasted=3m0s`); n != 1 {
			t.Errorf("its end is said %d times:\n%s", n, out)
		}
		if v, text := b.value(Corrupt), b.Text(Partitions...); v != 0 || text != "" {
			t.Errorf("it is over, and the metric is %v, readiness says %q", v, text)
		}
	})
}

func TestALeasedTroubleEndsWhenItIsNotReportedAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, out := newBoard()
		for range 5 {
			b.Report(Trouble{Kind: Denied, Subject: "group g", Problem: "READ is not allowed", Lease: 15 * time.Second})
			time.Sleep(10 * time.Second)
			b.Tick()
		}
		if _, lasted := b.Longest(Denied); lasted != 40*time.Second {
			t.Errorf("it counts as %s: from the first report to the last are 40s", lasted)
		}
		time.Sleep(6 * time.Second)
		b.Tick()
		if b.Text(Groups...) != "" || !strings.Contains(out.String(), "authorised again") {
			t.Errorf("it is not over:\n%s", out)
		}
	})
}

func TestWhatIsNoLongerOursIsDroppedWithoutAWord(t *testing.T) {
	b, out := newBoard()
	b.Report(Trouble{Kind: Held, Subject: "trades/1", Problem: "x"})
	b.Report(Trouble{Kind: Progress, Subject: "trades/1", Problem: "y"})
	b.Report(Trouble{Kind: Held, Subject: "trades/2", Problem: "z"})
	said := out.String()
	b.Forget("trades/1")
	if b.value(Held) != 1 || b.value(Progress) != 0 || out.String() != said {
		t.Errorf("held %v, progress %v, and it says %s", b.value(Held), b.value(Progress), out.String()[len(said):])
	}
}

func TestEveryKindHasItsWordsAndItsSection(t *testing.T) {
	for _, k := range []Kind{Brokers, Login, Topic, Recreated, Denied, Group, Overstayed, Held, Corrupt, TooLarge, Transaction, Rule, Progress} {
		if w := words[k]; w.begun == "" || w.over == "" {
			t.Errorf("%s has no words", k)
		}
	}
	for _, k := range append(append([]Kind{}, Groups...), Partitions...) {
		if _, ok := words[k]; !ok {
			t.Errorf("%s is no kind", k)
		}
	}
}

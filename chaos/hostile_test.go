package main

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/topics"
)

// entered is an account with one record of each outcome that may be.
func entered() (*account, deadLetters, commits) {
	a, dead := newAccount(), make(deadLetters)
	add := func(class string, may fate, channels ...string) *shot {
		s := &shot{class: class, may: may, channels: channels, at: place{topic: string(topics.TradeExecutions)}}
		a.enter(s)
		a.placed(s, 0, int64(len(a.all)))
		return s
	}
	a.accept(chHealthy, add("alerted", raises, chHealthy).at)
	both := add("both", raises|dies, chWild, chMail)
	a.accept(chWild, both.at)
	dead.add(both.at, chMail)
	dead.add(add("dead", dies, chWild).at, "")
	dead.add(add("refused", dies, chPicky).at, chPicky)
	moved := add("moved", raises, chWild)
	a.accept(movedTo, moved.at)
	add("quiet", dies|quiet)
	add("forged", skipped)
	planted := add("planted", raises, chHealthy)
	planted.planted, planted.behind = true, "dead"
	a.accept(chHealthy, planted.at)
	return a, dead, commits{{topic: string(topics.TradeExecutions)}: 100}
}

func misses(list []tally) (names []string) {
	for _, t := range list {
		if t.missed > 0 {
			names = append(names, t.class)
		}
	}
	return names
}

// TestAccountMissesNothing breaks a good account in one place each.
func TestAccountMissesNothing(t *testing.T) {
	if a, dead, done := entered(); len(misses(a.judge(dead, done))) > 0 {
		t.Fatalf("a good account misses %v", misses(a.judge(dead, done)))
	}
	of := func(a *account, class string) *shot {
		return a.all[slices.IndexFunc(a.all, func(s *shot) bool { return s.class == class })]
	}
	for name, c := range map[string]struct {
		change func(*account, deadLetters)
		want   string
	}{
		"an alert that did not arrive":     {func(a *account, _ deadLetters) { delete(a.taken[chHealthy], of(a, "alerted").at) }, "alerted"},
		"one of two channels":              {func(a *account, dead deadLetters) { delete(dead, of(a, "both").at) }, "both"},
		"one that was moved and is gone":   {func(a *account, _ deadLetters) { delete(a.taken[movedTo], of(a, "moved").at) }, "moved"},
		"no dead letter":                   {func(a *account, dead deadLetters) { delete(dead, of(a, "dead").at) }, "dead"},
		"a dead letter of a planted alert": {func(a *account, dead deadLetters) { dead.add(of(a, "planted").at, "") }, "planted"},
		"a refused one that was taken":     {func(a *account, dead deadLetters) { a.accept(chPicky, of(a, "refused").at) }, "refused"},
	} {
		a, dead, done := entered()
		c.change(a, dead)
		if got := misses(a.judge(dead, done)); !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s: %v is missed", name, got)
		}
	}
}

// TestNothingIsQuietUntilItIsCommitted: a record that is not read yet has
// no outcome.
func TestNothingIsQuietUntilItIsCommitted(t *testing.T) {
	a, dead, done := entered()
	done[place{topic: string(topics.TradeExecutions)}] = 6 // the sixth is the quiet one, at offset 6
	if got := misses(a.judge(dead, done)); !slices.Equal(got, []string{"quiet", "forged", "planted"}) {
		t.Errorf("%v is missed", got)
	}
}

func TestLateAlertsAreCounted(t *testing.T) {
	a, _, _ := entered()
	for i := range 200 {
		s := &shot{class: "planted", may: raises, channels: []string{chHealthy}, planted: true, behind: "zeros"}
		a.enter(s)
		a.placed(s, 1, int64(i))
		a.accept(chHealthy, s.at)
		s.produced = s.produced.Add(-time.Duration(i) * 50 * time.Millisecond)
	}
	l := a.latencies(time.Now())
	if len(l) != 1 || len(l[0].took) != 201 || l[0].missing != 0 || l[0].worst.behind != "zeros" {
		t.Fatalf("%+v", l)
	}
	if max := l[0].at(1); max < 9950*time.Millisecond || max > 10*time.Second {
		t.Errorf("the slowest took %s", max)
	}
	if late := len(l[0].took) - underneath(l[0].took, lateAfter); late < 99 || late > 100 {
		t.Errorf("%d were late, want 100", late)
	}
}

// TestHostileRecordsReachTheDaemon: what the broker refuses proves nothing. A
// topic takes batches of 1 MiB, compressed.
func TestHostileRecordsReachTheDaemon(t *testing.T) {
	f := &forger{ids: map[string]string{}, partitions: map[string]int32{}}
	for _, c := range []string{chHealthy, chPicky, chChat, chWild} {
		f.partitions[topics.Outbox(hostileGroup, c)] = 1
	}
	for _, s := range topics.All() {
		f.partitions[string(s)] = hostilePartitions
	}
	random := rand.New(rand.NewPCG(1, 1))
	for _, c := range append(allClasses(), f.classes()...) {
		for n := range 10 {
			if n > 0 && c.together {
				break
			}
			records := c.records(random, n)
			if c.together {
				records = records[:1] // they are all alike, and large
			}
			for _, r := range records {
				size := len(r.Key) + len(r.Value)
				for _, h := range r.Headers {
					size += len(h.Key) + len(h.Value)
				}
				if size > 1_000_000 && c.codec == "" {
					t.Errorf("%s: a record of %d bytes", c.name, size)
				}
				for _, s := range spellings() {
					if bytes.Contains(flat(r), []byte(s)) {
						t.Fatalf("%s contains a secret: every run would find a leak", c.name)
					}
				}
			}
		}
	}
	if z := zeros(unpacked); len(z) > unpacked || len(z) < unpacked-2 || len(gzipped(z)) > 20<<10 {
		t.Errorf("%d zeros in %d bytes", len(z), len(gzipped(z)))
	}
}

func TestMemoryBeyondItsLimitEndsTheProcess(t *testing.T) {
	d := &daemon{process: exec.Command("sleep", "60"), gone: make(chan struct{})}
	if err := d.process.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		d.err = d.process.Wait()
		close(d.gone)
	}()
	m := &memory{limit: 1}
	m.watch(context.Background(), d)
	<-d.gone
	if peak, beyond := m.seen(); peak < 100<<10 || beyond.IsZero() {
		t.Errorf("peak %d, beyond its limit at %s", peak, beyond)
	}
}

func TestHiddenCharactersAreFound(t *testing.T) {
	for text, want := range map[string]string{
		"{\"a\":\"\\u001b\"}\n\tok – ü": "", "\x1b[31m": "U+001B", "a\u009b": "U+009B", "\u202e": "U+202E", "\u2066": "U+2066", "\x7f": "U+007F", "\r": "U+000D",
	} {
		if got := obeys([]byte(text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestHostileReportFitsATerminal(t *testing.T) {
	a, dead, done := entered()
	h := &hostile{late: lateAfter, account: a, memory: &memory{limit: memoryLimit}, probes: newProbes(), errors: map[string]int{"partition makes no progress": 3}}
	r := &hostileReport{hostile: h, tallies: a.judge(dead, done), causes: map[string]int{"event-too-large": 1_234, "payload-refused": 5}}
	r.add("critical to healthy p50/p99/max", "5s", "10.02 / 100.31 / 100.92 s", strings.Repeat("a long cause ", 20))
	r.add("memory, peak resident", "256 MiB", "224 MiB", "")
	if r.ok() {
		t.Error("a breach passes")
	}
	var b bytes.Buffer
	r.text(&b)
	for line := range strings.Lines(b.String()) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if !strings.Contains(b.String(), "BREACH") || !strings.Contains(b.String(), "breach: critical to healthy p50") {
		t.Error(b.String())
	}
	r.checks = r.checks[1:]
	if !r.ok() {
		t.Error("no breach does not pass")
	}
}

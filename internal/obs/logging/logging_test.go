package logging_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/obs/logging"
	"github.com/algotrade/notifier/internal/outcome"
)

// stream is where a log is written to.
type stream struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// lines returns what was written since the last call, without the time.
func (s *stream) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for line := range strings.Lines(s.text.String()) {
		_, line, _ = strings.Cut(line, " ")
		list = append(list, strings.TrimSpace(line))
	}
	s.text.Reset()
	return list
}

func newLog(level slog.Level) (*logging.Log, *stream) {
	s := new(stream)
	return logging.New(s, level, true, nil), s
}

func check(t *testing.T, s *stream, want ...string) {
	t.Helper()
	if got := s.lines(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("written is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestRepeatedLinesAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, s := newLog(slog.LevelInfo)
		say := func(offset int) {
			log.Warn("dead letter", "topic", "trades", "offset", offset, "entry", fmt.Sprint("re_", offset), "err", errors.New(fmt.Sprint(offset)))
		}
		say(1)
		check(t, s, `level=WARN msg="dead letter" topic=trades offset=1 entry=re_1 err=1`)
		for i := range 100 {
			say(2 + i)
			time.Sleep(100 * time.Millisecond)
		}
		check(t, s)
		time.Sleep(49*time.Second + 900*time.Millisecond)
		check(t, s)
		time.Sleep(100 * time.Millisecond) // a minute after the first
		synctest.Wait()
		check(t, s, `level=WARN msg="dead letter" topic=trades offset=101 entry=re_101 err=101 repeated=100`)
		say(102) // the interval continues
		time.Sleep(time.Minute)
		synctest.Wait()
		check(t, s, `level=WARN msg="dead letter" topic=trades offset=102 entry=re_102 err=102 repeated=1`)
		time.Sleep(time.Minute)
		synctest.Wait()
		check(t, s)
		say(103) // after a minute of quiet it is a first one again
		check(t, s, `level=WARN msg="dead letter" topic=trades offset=103 entry=re_103 err=103`)
		log.Flush()
		check(t, s)
	})
}

func TestDifferentAttributesAreNoRepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, s := newLog(slog.LevelInfo)
		desk := log.With("channel", "desk")
		lines := []func(){
			func() { log.Warn("a") },
			func() { log.Error("a") },
			func() { log.Warn("b") },
			func() { log.Warn("a", "topic", "t") },
			func() { log.Warn("a", "topic", "u") },
			func() { log.Warn("a", "topic", "t", "partition", 1) },
			func() { log.Warn("a", "topic", "t", "partition", int32(2)) },
			func() { log.Warn("a", "cause", outcome.Timeout) },
			func() { log.Warn("a", "cause", outcome.Reset) },
			func() { desk.Warn("a") },
			func() { log.With("channel", "hook").Warn("a") },
			func() { log.WithGroup("channel").Warn("a") },
			func() { log.Warn("a", slog.Group("g", "x", "1")) },
			func() { log.Warn("a", slog.Group("g", "x", "2")) },
		}
		for _, line := range lines {
			line()
		}
		if n := len(s.lines()); n != len(lines) {
			t.Errorf("%d of %d were shown", n, len(lines))
		}
		for _, line := range lines {
			line()
		}
		desk.With("offset", 7).Warn("a", "duration", time.Second, "at", time.Now(), "delivery", "dl_x", "n", 3.5)
		check(t, s)
		log.Flush()
		got := s.lines()
		if len(got) != len(lines) || !strings.Contains(strings.Join(got, "\n"), "level=WARN msg=a channel=desk offset=7 duration=1s") {
			t.Errorf("flushed are\n%s", strings.Join(got, "\n"))
		}
		if n := strings.Count(strings.Join(got, "\n"), "repeated=1"); n != len(lines)-1 {
			t.Errorf("%d say that they came once more", n)
		}
	})
}

func TestDebugIsNotLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, s := newLog(slog.LevelDebug)
		for range 3 {
			log.Error("a")
			log.Debug("b")
		}
		if n := len(s.lines()); n != 6 {
			t.Errorf("%d of 6 were shown", n)
		}
		log.Level.Set(slog.LevelInfo)
		for range 3 {
			log.Error("a")
			log.Debug("b")
		}
		if n := len(s.lines()); n != 1 {
			t.Errorf("%d were shown", n)
		}
	})
}

func TestSuppressedLinesFollowRaisedLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, s := newLog(slog.LevelInfo)
		for range 2 {
			log.Info("a")
			log.Error("b")
		}
		s.lines()
		log.Level.Set(slog.LevelError)
		time.Sleep(time.Minute)
		synctest.Wait()
		check(t, s, "level=ERROR msg=b repeated=1")
	})
}

func TestUnlimitedLoggerIsNotLimited(t *testing.T) {
	log, s := newLog(slog.LevelInfo)
	free := logging.Unlimited(log.With("component", "trouble"))
	for range 3 {
		free.Error("a")
	}
	if n := len(s.lines()); n != 3 {
		t.Errorf("%d of 3 were shown", n)
	}
	other := slog.New(slog.DiscardHandler)
	if logging.Unlimited(other) != other {
		t.Error("a logger that is not of a Log was changed")
	}
}

// TestTheMemoryIsBounded: beyond the bound lines are shown, none is lost.
func TestTheMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, s := newLog(slog.LevelInfo)
		const n = 5000
		for range 2 {
			for i := range n {
				log.Error("a", "rule", fmt.Sprint(i))
			}
		}
		if shown := len(s.lines()); shown != 2*n-1000 {
			t.Errorf("%d of %d were shown: a thousand are watched", shown, 2*n)
		}
		log.Flush()
		if shown := len(s.lines()); shown != 1000 {
			t.Errorf("%d are counted at the end", shown)
		}
	})
}

// TestEveryErrorIsCounted from many goroutines, over several intervals.
func TestEveryErrorIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, s := newLog(slog.LevelInfo)
		const writers, each = 8, 500
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for range each {
					log.Error("a")
					time.Sleep(time.Second)
				}
			})
		}
		wg.Wait()
		log.Flush()
		total := 0
		for _, line := range s.lines() {
			n := 1
			if _, count, ok := strings.Cut(line, "repeated="); ok {
				fmt.Sscan(count, &n)
			}
			total += n
		}
		if total != writers*each {
			t.Errorf("%d errors are accounted for, %d were said", total, writers*each)
		}
	})
}

package term

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

func TestBarIsDrawnForLongRunsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		b := NewBar(&out, "sending", "events")
		b.Expect(10)
		b.Add(1)
		if out.Len() > 0 {
			t.Errorf("a short run drew %q", out.String())
		}
		time.Sleep(2 * showAfter)
		b.Add(1)
		if !strings.Contains(out.String(), "2/10") {
			t.Errorf("a long run drew %q, want 2/10", out.String())
		}
		b.Finish()
		if !strings.HasSuffix(out.String(), "\r") {
			t.Errorf("the bar stays on the screen: %q", out.String())
		}
	})
}

func TestBarFitsTheTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		b := NewBar(&out, "reading trade-executions", "events")
		b.Expect(12_345_678)
		for range 40 {
			time.Sleep(time.Minute)
			b.Add(300_000)
		}
		b.Finish()
		widest := 0
		for _, line := range strings.Split(out.String(), "\r") {
			widest = max(widest, utf8.RuneCountInString(line))
		}
		if widest > defaultWidth || widest < defaultWidth-20 {
			t.Errorf("the widest line has %d columns of %d:\n%s", widest, defaultWidth, strings.ReplaceAll(out.String(), "\r", "\n"))
		}
	})
}

func TestBarShowsAverageRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, total := range []int{0, 1000} {
			var out bytes.Buffer
			b := NewBar(&out, "sending", "events")
			b.Expect(total)
			for range 150 {
				time.Sleep(10 * time.Millisecond)
				b.Add(1)
			}
			shown := regexp.MustCompile(`([0-9]+) events/s`).FindAllStringSubmatch(out.String(), -1)
			if len(shown) == 0 {
				t.Fatalf("no rate in %q", out.String())
			}
			for _, m := range shown {
				if rate, _ := strconv.Atoi(m[1]); rate < 95 || rate > 110 {
					t.Errorf("of %d: the rate is shown as %d/s, want 100/s", total, rate)
				}
			}
			b.Finish()
		}
	})
}

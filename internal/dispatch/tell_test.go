package dispatch

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
)

func TestLinesShowLongEventIDsInBrief(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		var said bytes.Buffer
		b.log = slog.New(slog.NewJSONHandler(&said, nil))
		b.ch.set(func(channel.Message, int) (channel.Receipt, error) { return channel.Receipt{}, errRefused })
		b.put("d", "k", func(a *alert.Alert) { a.EventID = "x" + strings.Repeat("日", 100_000) })
		synctest.Wait()
		line := said.String()
		if len(line) > 1024 || !utf8.ValidString(line) || !strings.Contains(line, `"event":"x日日`) || strings.Contains(line, "\uFFFD") || strings.Contains(line, `\ufffd`) {
			t.Errorf("%d bytes: %.300s", len(line), line)
		}
	})
}

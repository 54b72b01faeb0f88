package templated_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/channel/templated/templatedtest"
)

func TestRotatedTokenIsUsedWithoutRestart(t *testing.T) {
	s := templatedtest.Start(t, "telegram")
	file := filepath.Join(t.TempDir(), "token")
	put := func(token string) {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("111:before")
	c := newChannel(t, fmt.Sprintf("preset: telegram, url: %q, token: 'file:%s', chat: '-1'", s.URL, file))
	for _, token := range []string{"111:before", "222:after", "not a token", "333:last"} {
		put(token)
		_, _ = send(t, c, channeltest.Message()) // the stand-in does not know these tokens
	}
	var uris []string
	for _, r := range s.Requests() {
		uris = append(uris, r.URI)
	}
	if got := strings.Join(uris, " "); got != "/bot111:before/sendMessage /bot222:after/sendMessage /bot222:after/sendMessage /bot333:last/sendMessage" {
		t.Error(got)
	}
}

func TestVerifyMakesNoRequest(t *testing.T) {
	s := templatedtest.Start(t, "telegram")
	got := channeltest.Verify(t, newChannel(t, s.Config("telegram")), templatedtest.Secrets("telegram")...)
	channeltest.AssertLines(t, got, "ok connection: connected to 127.0.0.1", "warning encryption: http", "skipped receiver")
	if len(s.Requests()) > 0 {
		t.Error("a request was made")
	}
}

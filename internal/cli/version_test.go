package cli

import (
	"testing"

	"github.com/algotrade/notifier/internal/cli/base"
)

func TestVersionShowsBuild(t *testing.T) {
	b := base.Build{Version: "1.2.3", Revision: "4e044bd15d48aaaaaaaaaaaaaaaaaaaaaaaaaaaa", Time: "2026-11-26T01:44:40Z", Go: "go1.26.8", OS: "linux", Arch: "amd64"}
	modified := b
	modified.Modified = true
	dev := modified
	dev.Version = "dev-4e044bd15d48-modified"
	for want, b := range map[string]base.Build{
		"notifier 1.2.3 (4e044bd15d48, 2026-11-26, go1.26.8, linux/amd64)":          b,
		"notifier 1.2.3 (4e044bd15d48-modified, 2026-11-26, go1.26.8, linux/amd64)": modified,
		"notifier dev-4e044bd15d48-modified (2026-11-26, go1.26.8, linux/amd64)":    dev,
		"notifier dev (go1.26.8, linux/amd64)":                                      {Version: "dev", Go: "go1.26.8", OS: "linux", Arch: "amd64"},
	} {
		if got := b.String(); got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
}

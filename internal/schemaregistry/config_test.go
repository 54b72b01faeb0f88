package schemaregistry_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/schemaregistry"
	"github.com/algotrade/notifier/internal/yamldoc"
)

func TestFaultsOfSettingsAreReported(t *testing.T) {
	for text, want := range map[string]string{
		`urls: ["https://r", "http://localhost:8081"]`:                  "",
		`{urls: ["https://r"], username: u, password: p, timeout: 10s}`: "",
		`{urls: ["http://r:8081"]}`:                                     "",
		`{urls: ["http://localhost"], username: u, password: p}`:        "",
		`{urls: ["http://r"], token: t, insecure: true}`:                "",
		`{urls: []}`:                                                                 "urls: is empty",
		`{urls: ["r:8081"]}`:                                                         "urls: must begin with https:// or http://",
		`{urls: ["https://u:s3cret@r"]}`:                                             "urls: contains a user: set username and password instead",
		`{urls: ["https://r?key=s3cret"]}`:                                           "urls: contains a query",
		`{urls: ["http://r"], username: u, password: s3cret}`:                        "the login would travel in the clear",
		`{urls: ["http://r"], token: s3cret}`:                                        "the login would travel in the clear",
		`{urls: ["https://r"], username: u}`:                                         "username and password belong together",
		`{urls: ["https://r"], username: u, password: s3cret, token: s3cret}`:        "token: is set besides username and password",
		`{urls: ["https://r"], timeout: 1ms}`:                                        "timeout: 1ms is not between 100ms and 1m",
		`{urls: ["https://r"], ca: nowhere.pem}`:                                     "ca: cannot read certificates",
		`{urls: ["https://r"], proxy: s3cret}`:                                       "proxy: is not a proxy",
		`{urls: ["https://r"], pasword: s3cret, username: u, password: s3cret}`:      "pasword",
		`{urls: ["https://r"], "schema.registry.url": "https://r", timeout: "fast"}`: "timeout",
	} {
		file := filepath.Join(t.TempDir(), "registry.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		config := schemaregistry.Defaults()
		faults := yamldoc.Decode(file, filepath.Dir(file), []byte(text), &config)
		switch shown := faults.Error(); {
		case want == "" && len(faults) > 0, want != "" && !strings.Contains(shown, want):
			t.Errorf("%s: %q, want %q", text, shown, want)
		case strings.Contains(shown, "s3cret"):
			t.Errorf("%s shows a secret: %s", text, shown)
		}
	}
}

package cli

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/testkafka"
)

func TestDoctorAsksEachSchemaRegistry(t *testing.T) {
	c := testkafka.Start(t, one("hook", 1))
	hook := webhooktest.Start(t, "", nil)
	registry := srfake.New()
	defer registry.Close()
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != "correct-horse" {
			t.Errorf("it logs in with %q", password)
		}
		http.Error(w, "correct-horse", http.StatusForbidden)
	}))
	defer refusing.Close()
	t.Setenv("NOTIFIER_HTTP_LISTEN", "127.0.0.1:1")
	t.Setenv("REGISTRY_PASSWORD", "correct-horse")
	dir := files(t, c, fmt.Sprintf("  hook: {webhook: {url: %q}, partitions: 1}\n", hook.URL), fmt.Sprintf(every, "hook"))
	file := filepath.Join(dir, "notifier.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = fmt.Appendf(text, "\nschema_registry: {urls: [%q, %q, 'http://127.0.0.1:1'], username: desk, password: env:REGISTRY_PASSWORD}\n", registry.URL(), refusing.URL)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	a := examineIn(t, c, dir).Want(t, base.ExitFailed)
	host := func(url string) string { return strings.TrimPrefix(url, "http://") }
	a.Contains(t,
		"ok "+host(registry.URL())+": a schema registry; schemas can be read",
		"failed "+host(refusing.URL)+": schema registry "+host(refusing.URL)+" refuses the login (403): check schema_registry.username",
		"failed 127.0.0.1:1: schema registry 127.0.0.1:1: connection refused",
	)
	if strings.Contains(a.Out+a.Err, "correct-horse") {
		t.Error("it shows the password")
	}
	shown := local(t, "config", "show", "-c", file).Want(t, base.ExitDone)
	if strings.Contains(shown.Out+shown.Err, "correct-horse") || !strings.Contains(shown.Out, "env:REGISTRY_PASSWORD") {
		t.Errorf("config show:\n%s", shown.Out)
	}
}

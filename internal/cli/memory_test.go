package cli

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/testkafka"
)

func TestDaemonLogsMemoryLimit(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", nil)
	dir := files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook"))
	for env, want := range map[string]string{"": "256 MiB kafka.window.bytes", "300MiB": "300 MiB GOMEMLIMIT"} {
		t.Setenv("GOMEMLIMIT", env)
		p := spawn(t, "run", "-c", filepath.Join(dir, "notifier.yaml"))
		text := p.err.Wait(t, 30*time.Second, `"msg":"memory limit"`)
		var line struct{ Level, Limit, Source string }
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		if env == "" && strings.HasPrefix(line.Source, "/sys/fs/cgroup/") {
			want = line.Limit + " " + line.Source // the control group that the test is in
		}
		if got := line.Limit + " " + line.Source; got != want || line.Level != "INFO" {
			t.Errorf("with GOMEMLIMIT=%q: %s", env, text)
		}
		_ = p.Process.Kill()
	}
}

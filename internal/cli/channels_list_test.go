package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/obs/admin"
)

const fourChannels = `
rules: rules.yaml
channels:
  desk-slack: {slack: {token: xoxb-very-secret, channel: C0DESK01}}
  desk-mail: {email: {server: "mail.example.com:587", from: alerts@example.com, to: [desk@example.com, risk@example.com]}}
  risk-hook: {webhook: {url: "https://risk.example.com/hooks/k3y-in-the-path"}, concurrency: 64}
  screen: {console: {}}
`

const twoRules = `
version: 1
rules:
  - {name: rejects, topic: trade-executions, when: 'event.event_type == "order.rejected"', to: [desk-slack, desk-mail, screen], title: a}
  - {name: large-fills, topic: trade-executions, when: 'event.event_type == "order.filled"', to: [desk-slack, risk-hook], title: b}
`

func TestChannelsListShowsState(t *testing.T) {
	at := time.Date(2026, 11, 26, 1, 0, 0, 0, time.UTC)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(base.Readiness{Ready: true, Components: []admin.Component{
			{Name: "groups", OK: true, Decides: true},
			{Name: "channel desk-mail", State: "circuit_open", Cause: "unavailable: EHLO 421", Waiting: 3},
			{Name: "channel desk-slack", State: "suspended", Cause: "credentials: Slack returned token_revoked — 1,240 wait, the oldest for 7 h 12 m, kept until 26 Dec 09:31 — waiting alerts move to desk-mail, requested by ann@ops-1", Waiting: 1240, Oldest: &at, Moving: []admin.Moving{{To: "desk-mail", By: "ann@ops-1"}}},
			{Name: "channel screen", OK: true, State: "healthy"},
		}})
	}))
	defer s.Close()
	t.Setenv("NOTIFIER_HTTP_LISTEN", strings.TrimPrefix(s.URL, "http://"))
	dir := t.TempDir()
	file := filepath.Join(dir, "notifier.yaml")
	for name, text := range map[string]string{"notifier.yaml": fourChannels, "rules.yaml": twoRules} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a := local(t, "channels", "list", "-c", file).Want(t, base.ExitDone)
	clitest.Golden(t, "channels-list.golden", a.Out)
	for line := range strings.Lines(a.Out) {
		if n := len([]rune(line)); n > 101 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	objects := local(t, "channels", "list", "-c", file, "-o", "json").Want(t, base.ExitDone).Objects(t)
	if o := objects[1]; o["channel"] != "desk-slack" || o["state"] != "suspended" || o["waiting"] != 1240.0 || o["oldest"] != "2026-11-26T01:00:00Z" {
		t.Errorf("desk-slack is %v", o)
	}
	if moving, _ := json.Marshal(objects[1]["moving"]); string(moving) != `[{"by":"ann@ops-1","to":"desk-mail"}]` || objects[0]["moving"] != nil {
		t.Errorf("moving: %s", moving)
	}
	if o := objects[2]; o["channel"] != "risk-hook" || o["state"] != nil || o["waiting"] != nil {
		t.Errorf("risk-hook, which the notifier does not know, is %v", o)
	}
	// Something else may listen there.
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	defer other.Close()
	t.Setenv("NOTIFIER_HTTP_LISTEN", strings.TrimPrefix(other.URL, "http://"))
	local(t, "channels", "list", "-c", file).Want(t, base.ExitDone, "is not a notifier): the state is unknown")
}

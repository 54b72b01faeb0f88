//go:build real

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/algotrade/notifier/internal/dispatch/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
)

// TestSecuredKafka runs the daemon and the commands against a real broker that
// takes nothing in plain text, nobody without a name and nothing without a
// right.
func TestSecuredKafka(t *testing.T) {
	n := testkafka.Secured(t, "../..")
	for _, s := range (kafka.Layout{Group: "unused", Partitions: 3}).Shapes(1, nil) {
		if s.Role == kafka.RoleSource {
			if err := kafka.Create(t.Context(), n.Admin, []kafka.Shape{s}); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Run("every way of encryption and login", func(t *testing.T) { everyWayIn(t, n) })
}

// site is one configuration for the secured node.
type site struct {
	t     testing.TB
	node  *testkafka.Node
	dir   string
	group string
}

// newSite writes a configuration for this address, with more of kafka's settings
// as YAML; the channel is a webhook.
func newSite(t testing.TB, n *testkafka.Node, group, address, settings, hook string) *site {
	t.Helper()
	s := &site{t: t, node: n, dir: t.TempDir(), group: group}
	put(t, s.dir, "rules.yaml", fmt.Sprintf(every, "hook"))
	put(t, s.dir, "notifier.yaml", fmt.Sprintf(`kafka:
  brokers: [%q]
  group: %q
  start: latest
%s
rules: rules.yaml
http: {listen: '127.0.0.1:0'}
log: {format: json}
retry: {initial: 20ms, max: 200ms}
breaker: {open: 100ms}
channels:
%s
`, address, group, settings, hookChannel("hook", hook)))
	return s
}

// do runs one command.
func (s *site) do(args ...string) answer {
	s.t.Helper()
	return s.doWith("", args...)
}

func (s *site) doWith(in string, args ...string) answer {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	code := run(ctx, append([]string{"-c", filepath.Join(s.dir, "notifier.yaml")}, args...), stdio{strings.NewReader(in), &out, &errs})
	return answer{code, out.String(), errs.String()}
}

// grant gives a principal rights, as a super user.
func grant(t testing.TB, n *testkafka.Node, principal string, rights ...*kadm.ACLBuilder) {
	t.Helper()
	for _, r := range rights {
		results, err := n.Admin.CreateACLs(t.Context(), r.Allow(principal).AllowHosts("*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			if r.Err != nil {
				t.Fatal(r.Err, r.ErrMessage)
			}
		}
	}
}

// everything is all rights on all topics and groups.
func everything() []*kadm.ACLBuilder {
	all := func() *kadm.ACLBuilder {
		return kadm.NewACLs().Operations(kadm.OpAll).ResourcePatternType(kadm.ACLPatternLiteral)
	}
	return []*kadm.ACLBuilder{all().Topics("*"), all().Groups("*")}
}

// unsecured is a token that needs no key: what Kafka's own handler for
// development takes (RFC 7515, section A.5).
func unsecured(user string, valid time.Duration) string {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	now := time.Now()
	claims := fmt.Sprintf(`{"sub":%q,"iat":%d,"exp":%d}`, user, now.Unix()-1, now.Add(valid).Unix())
	return part(`{"alg":"none"}`) + "." + part(claims) + "."
}

func everyWayIn(t *testing.T, n *testkafka.Node) {
	dir := t.TempDir()
	ca := filepath.Join(n.Dir, "ca.pem")
	client := n.CA.Client("dave")
	cert, key := testkafka.Put(t, dir, "client.pem", client.CertPEM), testkafka.Put(t, dir, "client.key", client.KeyPEM)
	put(t, dir, "password", "alice-secret\n")
	put(t, dir, "token", unsecured("erin", time.Hour))
	for _, user := range []string{"User:CN=dave", "User:alice", "User:erin"} {
		grant(t, n, user, everything()...)
	}
	encrypted := fmt.Sprintf("  tls: {enabled: true, ca: %q}\n", ca)
	login := func(mechanism string) string {
		return encrypted + fmt.Sprintf("  sasl: {mechanism: %s, username: alice, password: 'file:%s/password'}", mechanism, dir)
	}
	for name, way := range map[string]struct{ address, settings string }{
		"tls":           {n.TLS, encrypted},
		"mtls":          {n.MTLS, fmt.Sprintf("  tls: {enabled: true, ca: %q, cert: %q, key: %q}", ca, cert, key)},
		"plain":         {n.SASL, login("PLAIN")},
		"scram-sha-256": {n.SASL, login("SCRAM-SHA-256")},
		"scram-sha-512": {n.SASL, login("SCRAM-SHA-512")},
		"oauthbearer":   {n.SASL, encrypted + fmt.Sprintf("  sasl: {mechanism: OAUTHBEARER, password: 'file:%s/token'}", dir)},
	} {
		t.Run(name, func(t *testing.T) {
			hook := webhooktest.Start(t, "", func(int, webhooktest.Request) webhooktest.Answer {
				return webhooktest.Answer{ByBody: func(body []byte) webhooktest.Answer {
					if bytes.Contains(body, []byte(`"title":"2"`)) {
						return webhooktest.Answer{Status: http.StatusUnprocessableEntity}
					}
					return webhooktest.Answer{}
				}}
			})
			s := newSite(t, n, "way-"+name, way.address, way.settings, hook.URL)
			s.do("config", "check").want(t, exitDone)
			s.do("topics", "create").want(t, exitDone, "5 topics made")
			s.do("topics", "check").want(t, exitDone)
			d := start(t, s.dir)
			s.doWith(`{"alert":true,"n":1}`+"\n"+`{"alert":true,"n":2}`+"\n", "produce", "trade-executions").want(t, exitDone, "2 records sent")
			s.doWith("{\n", "produce", "trade-executions", "--raw").want(t, exitDone)
			testkafka.Eventually(t, 20*time.Second, "both are dead letters", func() bool { return len(s.do("dlq", "list", "-o", "json").objects(t)) == 2 })
			hook.SetAnswer(nil)
			s.do("dlq", "replay", "--reason", "refused", "--yes", "--wait").want(t, exitDone)
			if requests := hook.Requests(); len(requests) != 3 || requests[2].Title() != "2" {
				t.Errorf("%d requests", len(requests))
			}
			s.do("dlq", "discard", "--all", "--yes", "-m", "not an event").want(t, exitDone)
			s.do("dlq", "stats").want(t, exitDone)
			if code := d.stop(); code != exitDone {
				t.Errorf("exit %d", code)
			}
		})
	}
}

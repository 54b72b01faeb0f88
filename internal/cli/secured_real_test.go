//go:build real

package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
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
	t.Run("the least rights", func(t *testing.T) { theLeastRights(t, n) })
	t.Run("wrong settings", func(t *testing.T) { wrongSettings(t, n) })
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
func (s *site) do(args ...string) clitest.Answer {
	s.t.Helper()
	return s.doWith("", args...)
}

func (s *site) doWith(in string, args ...string) clitest.Answer {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	code := Run(ctx, append([]string{"-c", filepath.Join(s.dir, "notifier.yaml")}, args...), base.Streams{In: strings.NewReader(in), Out: &out, Err: &errs})
	return clitest.Answer{Code: code, Out: out.String(), Err: errs.String()}
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
			s.do("config", "check").Want(t, base.ExitDone)
			s.do("topics", "create").Want(t, base.ExitDone, "7 topics created")
			s.do("topics", "check").Want(t, base.ExitDone)
			d := start(t, s.dir)
			s.doWith(`{"alert":true,"n":1}`+"\n"+`{"alert":true,"n":2}`+"\n", "produce", "trade-executions").Want(t, base.ExitDone, "2 records sent")
			s.doWith("{\n", "produce", "trade-executions", "--raw").Want(t, base.ExitDone)
			testkafka.Eventually(t, 20*time.Second, "both are dead letters", func() bool { return len(s.do("dlq", "list", "-o", "json").Objects(t)) == 2 })
			hook.SetAnswer(nil)
			s.do("dlq", "replay", "--reason", "refused", "--yes", "--wait").Want(t, base.ExitDone)
			if requests := hook.Requests(); len(requests) != 3 || requests[2].Title() != "2" {
				t.Errorf("%d requests", len(requests))
			}
			s.do("dlq", "discard", "--all", "--yes", "-m", "not an event").Want(t, base.ExitDone)
			s.do("dlq", "stats").Want(t, base.ExitDone)
			if code := d.stop(); code != base.ExitDone {
				t.Errorf("exit %d", code)
			}
		})
	}
}

// acls are a right as Kafka keeps it, for this group.
func (r right) acls(group string) *kadm.ACLBuilder {
	op, err := kmsg.ParseACLOperation(r.operation)
	if err != nil {
		panic(err)
	}
	pattern, names := kadm.ACLPatternLiteral, []string{strings.Replace(r.name, "GROUP", group, 1)}
	if r.prefixed {
		pattern = kadm.ACLPatternPrefixed
	}
	if r.name == "SOURCES" {
		names = nil
		for _, n := range topics.All() {
			names = append(names, string(n))
		}
	}
	b := kadm.NewACLs().Operations(op).ResourcePatternType(pattern)
	if r.resource == "Group" {
		return b.Groups(names...)
	}
	return b.Topics(names...)
}

// only has a principal have these rights, and no other.
func only(t testing.TB, n *testkafka.Node, principal, group string, rights []right) {
	t.Helper()
	all := kadm.NewACLs().AnyResource().ResourcePatternType(kadm.ACLPatternAny).Operations(kadm.OpAny).Allow(principal).AllowHosts()
	if _, err := n.Admin.DeleteACLs(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	for _, r := range rights {
		grant(t, n, principal, r.acls(group))
	}
	// A broker that has taken them enforces them a moment later.
	testkafka.Eventually(t, 20*time.Second, "the rights hold", func() bool {
		results, err := n.Admin.DescribeACLs(t.Context(), all)
		have, want := 0, 0
		for _, r := range results {
			have += len(r.Described)
		}
		for _, r := range rights {
			if want++; r.name == "SOURCES" {
				want += len(topics.All()) - 1
			}
		}
		return err == nil && have == want
	})
}

// theLeastRights holds the list of rights: with exactly these the daemon and
// each command work, and without any one of them they say which.
func theLeastRights(t *testing.T, n *testkafka.Node) {
	const group, user = "least", "User:carol"
	settings := fmt.Sprintf("  tls: {enabled: true, ca: %q}\n  sasl: {mechanism: PLAIN, username: carol, password: carol-secret}", filepath.Join(n.Dir, "ca.pem"))
	hook := webhooktest.Start(t, "", func(int, webhooktest.Request) webhooktest.Answer {
		return webhooktest.Answer{Status: http.StatusUnprocessableEntity}
	})
	s := newSite(t, n, group, n.SASL, settings, hook.URL)

	// Each right in turn is left out; the command then fails with the name of it.
	without := func(t *testing.T, command string, more []right, run func() clitest.Answer, code int) {
		t.Helper()
		all := append(slices.Clone(rights[command]), more...)
		for i, left := range all {
			if left == (right{"Create", "Topic", "SOURCES", false}) {
				continue // they are there
			}
			only(t, n, user, group, slices.Delete(slices.Clone(all), i, i+1))
			a := run()
			text := strings.ToLower(strings.Join(strings.Fields(a.Out+a.Err), " "))
			resource := strings.ToLower(strings.Replace(left.name, "GROUP", group, 1))
			if left.name == "SOURCES" {
				resource = "trade-executions"
				text = strings.ReplaceAll(text, "the source topics", resource)
			}
			operation := strings.ToLower(left.operation)
			named := strings.Contains(text, operation+" on ") || strings.Contains(text, "--operation "+operation+" ")
			if a.Code != code || !named || !strings.Contains(text, resource) {
				t.Errorf("%s without %s: exit %d, want %d and its name\n%s%s", command, left, a.Code, code, a.Out, a.Err)
			}
		}
		only(t, n, user, group, all)
	}

	without(t, "topics create", nil, func() clitest.Answer { return s.do("topics", "create") }, base.ExitFailed)
	s.do("topics", "create").Want(t, base.ExitDone)
	without(t, "topics check", nil, func() clitest.Answer { return s.do("topics", "check") }, base.ExitFailed)
	s.do("topics", "check").Want(t, base.ExitDone, "its configuration cannot be read", "--operation DESCRIBE_CONFIGS")
	without(t, "run", nil, func() clitest.Answer {
		d := launch(t, s.dir)
		// It ends by itself; one that does not is told to, and has failed.
		testkafka.Eventually(t, 20*time.Second, "it says what is missing, or runs", func() bool {
			return strings.Contains(d.err.String(), "not authorised") || strings.Contains(d.err.String(), `"msg":"running"`)
		})
		return clitest.Answer{Code: d.stop(), Err: d.err.String()}
	}, kafka.ExitDenied)

	only(t, n, user, group, rights["run"])
	d := start(t, s.dir)
	without(t, "produce", nil, func() clitest.Answer { return s.do("produce", "trade-executions", "--sample", "order.rejected") }, base.ExitFailed)
	only(t, n, user, group, append(slices.Clone(rights["produce"]), rights["run"]...))
	s.doWith(`{"alert":true,"n":1}`+"\n"+`{"alert":true,"n":2}`+"\n", "produce", "trade-executions").Want(t, base.ExitDone)
	list := func() clitest.Answer { return s.do("dlq", "list", "-o", "json") }
	testkafka.Eventually(t, 20*time.Second, "there are dead letters", func() bool { return len(list().Objects(t)) == 2 })
	d.stop()
	entries := list().Objects(t)
	id := fmt.Sprint(entries[0]["id"])
	// A request that nobody settles: from now on every command has to read it.
	only(t, n, user, group, rights["dlq replay"])
	s.do("dlq", "replay", fmt.Sprint(entries[1]["id"]), "--yes").Want(t, base.ExitDone)

	for command, args := range map[string][]string{
		"dlq list": {"dlq", "list"}, "dlq stats": {"dlq", "stats"}, "dlq show": {"dlq", "show", id}, "dlq export": {"dlq", "export"},
		"dlq replay": {"dlq", "replay", id, "--yes"}, "dlq discard": {"dlq", "discard", id, "--yes", "-m", "a test"},
	} {
		without(t, command, nil, func() clitest.Answer { return s.do(args...) }, base.ExitFailed)
	}
	for _, args := range [][]string{{"dlq", "list"}, {"dlq", "stats"}, {"dlq", "show", id}, {"dlq", "export"}, {"dlq", "discard", id, "--yes", "-m", "a test"}} {
		only(t, n, user, group, rights[args[0]+" "+args[1]])
		s.do(args...).Want(t, base.ExitDone)
	}

	// Without topics of its own the daemon makes them, where it may.
	other := newSite(t, n, "least-new", n.SASL, settings, hook.URL)
	only(t, n, user, "least-new", rights["run"])
	d = launch(t, other.dir, "--create-topics")
	d.err.Wait(t, 20*time.Second, "not authorized to create topic least-new.", "grant CREATE")
	if code := d.stop(); code != kafka.ExitDenied {
		t.Errorf("exit %d, want %d", code, kafka.ExitDenied)
	}
	only(t, n, user, "least-new", append(slices.Clone(rights["run"]), creating))
	start(t, other.dir, "--create-topics").stop()
}

// wrongSettings are those that only a real broker answers as it does.
func wrongSettings(t *testing.T, n *testkafka.Node) {
	ca := fmt.Sprintf("  tls: {enabled: true, ca: %q}\n", filepath.Join(n.Dir, "ca.pem"))
	login := func(mechanism, user, password string) string {
		return ca + fmt.Sprintf("  sasl: {mechanism: %s, username: %s, password: %s}", mechanism, user, password)
	}
	token := func(token string) string {
		return ca + fmt.Sprintf("  sasl: {mechanism: OAUTHBEARER, password: %s}", token)
	}
	_, port, _ := strings.Cut(n.TLS, ":")
	for name, c := range map[string]struct {
		address, settings string
		exit              int
		want              string
	}{
		"plain text where TLS is":   {n.TLS, "", kafka.ExitConfig, "ADDR requires TLS: set kafka.tls.enabled to true"},
		"TLS where plain text is":   {n.Plaintext, ca, kafka.ExitUnavailable, "ADDR closed the connection during the handshake: it may not support TLS on this port; see kafka.tls"},
		"no certificate":            {n.MTLS, ca, kafka.ExitConfig, "ADDR requires a client certificate: set kafka.tls.cert and kafka.tls.key"},
		"another name":              {"localhost:" + port, ca, kafka.ExitConfig, "ADDR presents a certificate for kafka.test, 127.0.0.1 (CN=broker), not for localhost"},
		"unknown authority":         {n.TLS, "  tls: {enabled: true}", kafka.ExitConfig, "ADDR presents a certificate signed by an unknown authority: CN=broker, signed by CN=Test Authority"},
		"wrong password":            {n.SASL, login("PLAIN", "alice", "wrong"), kafka.ExitDenied, "ADDR rejected username and password (PLAIN): check kafka.sasl"},
		"wrong password with SCRAM": {n.SASL, login("SCRAM-SHA-512", "alice", "wrong"), kafka.ExitDenied, "ADDR rejected username and password (SCRAM-SHA-512): check kafka.sasl"},
		"unknown to SCRAM":          {n.SASL, login("SCRAM-SHA-256", "carol", "carol-secret"), kafka.ExitDenied, "ADDR rejected username and password (SCRAM-SHA-256): check kafka.sasl"},
		"expired token":             {n.SASL, token(unsecured("erin", -time.Minute)), kafka.ExitDenied, "ADDR rejected the token (OAUTHBEARER): check kafka.sasl.password"},
		"no token":                  {n.SASL, token("hunter22"), kafka.ExitDenied, "ADDR rejected the token (OAUTHBEARER): check kafka.sasl.password"},
		"no login where one is due": {n.SASL, ca, kafka.ExitConfig, "ADDR closed the connection before its first response: it may require SASL; see kafka.sasl"},
		"a login where none is":     {n.TLS, login("PLAIN", "alice", "alice-secret"), kafka.ExitConfig, "ADDR does not accept SASL on this port: remove kafka.sasl, or use the SASL port"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, n, "wrong", c.address, c.settings, "http://127.0.0.1:1")
			a := s.do("run")
			if want := strings.ReplaceAll(c.want, "ADDR", c.address); a.Code != c.exit || !strings.Contains(a.Err, want) {
				t.Errorf("exit %d, want %d\n%s\nwant %s", a.Code, c.exit, a.Err, want)
			}
			for _, secret := range []string{"alice-secret", "carol-secret", "hunter22", "eyJ"} {
				if strings.Contains(a.Out+a.Err, secret) {
					t.Errorf("it shows %s", secret)
				}
			}
		})
	}
}

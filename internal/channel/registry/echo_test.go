package registry_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/channel/email/smtptest"
	"github.com/algotrade/notifier/internal/channel/pagerduty/pagerdutytest"
	"github.com/algotrade/notifier/internal/channel/registry"
	"github.com/algotrade/notifier/internal/channel/slack/slacktest"
	"github.com/algotrade/notifier/internal/channel/templated"
	"github.com/algotrade/notifier/internal/channel/templated/templatedtest"
	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/secret"
)

// provider starts a provider that echoes requests in an encoding, and returns
// the configuration of a channel to it.
type provider func(t *testing.T, encoding channeltest.Encoding) string

const (
	pathKey  = "k3y-in-the-path"
	queryKey = `s1g/+=&"of<it>`
	header   = `t0ken-in-a-"header"\\&<x>`
	password = `hunter22-p@ss/w<o>rd&"+%41\n`
)

// providers are the echoing providers, by kind of channel and place of the echo.
var providers = map[string]map[string]provider{
	"console": {"nothing is sent": nil},
	"slack": {
		"an error's name": slackBot(func(text string) slacktest.Answer { return slacktest.Answer{Error: text} }),
		"needed scopes": slackBot(func(text string) slacktest.Answer {
			return slacktest.Answer{Body: string(asJSON(map[string]any{"ok": false, "error": "missing_scope", "needed": text, "provided": text}))}
		}),
		"a page": slackBot(func(text string) slacktest.Answer {
			return slacktest.Answer{Status: 403, Body: "<html>" + text, Header: map[string]string{"X-Echo": "1"}}
		}),
		"the webhook's body": func(t *testing.T, encoding channeltest.Encoding) string {
			s := slacktest.Start(t, repeat(encoding, func(text string) slacktest.Answer { return slacktest.Answer{Status: 400, Body: text} }))
			return fmt.Sprintf("slack: {webhook: %q}", s.URL+"/services/T0/B0/key")
		},
	},
	"pagerduty": {
		"a refusal": pager(400, func(text string) string {
			return string(asJSON(map[string]any{"status": "invalid event", "errors": []string{text}}))
		}),
		"a page":          pager(403, func(text string) string { return "<html>" + text }),
		"another success": pager(200, func(text string) string { return text }),
		"a wrong key":     pager(401, func(text string) string { return text }),
	},
	"webhook": {
		"a refusal": hook(422), "a success": hook(200), "a wrong login": hook(401),
	},
	"email": {
		"the login is refused": mail(func(line, all string) string {
			if strings.HasPrefix(line, "AUTH") {
				return "535 5.7.8 " + all
			}
			return ""
		}),
		"mechanisms that nobody knows": mail(func(line, all string) string {
			if strings.HasPrefix(line, "EHLO") {
				return "250-raw\n250 AUTH X-" + all
			}
			return ""
		}),
		"a recipient is refused": mail(func(line, all string) string {
			if strings.HasPrefix(line, "RCPT") {
				return "550 5.1.1 " + all
			}
			return ""
		}),
		"the mail is taken": mail(func(line, all string) string {
			if line == "." {
				return "250 2.0.0 " + all
			}
			return ""
		}),
		"the mail is refused": mail(func(line, all string) string {
			if line == "." {
				return "554 5.6.0 " + all
			}
			return ""
		}),
	},
}

// The channels of the kind http, by preset and answer; one with a body of its own, and
// its secret in the URL's path and a header.
func init() {
	providers["http"] = map[string]provider{
		"a body of one's own": own(422), "a wrong login": own(401), "a success": own(200),
	}
	for _, name := range templated.Presets() {
		providers["http"][name+" refuses"] = preset(name, 400)
		providers["http"][name+" limits"] = preset(name, 429)
		providers["http"][name+" answers something else"] = preset(name, 200)
	}
}

// preset starts a preset's stand-in that echoes the requests.
func preset(name string, status int) provider {
	return func(t *testing.T, encoding channeltest.Encoding) string {
		s := templatedtest.Start(t, name)
		s.SetAnswer(func(r templatedtest.Request) *templatedtest.Answer { return echo(status, r, encoding) })
		return "http: {" + s.Config(name) + "}"
	}
}

func own(status int) provider {
	return func(t *testing.T, encoding channeltest.Encoding) string {
		s := templatedtest.Start(t, "alertmanager")
		s.SetAnswer(func(r templatedtest.Request) *templatedtest.Answer { return echo(status, r, encoding) })
		config, _ := json.Marshal(map[string]any{
			"url": s.URL + "/" + pathKey + "?sig=" + url.QueryEscape(queryKey), "headers": map[string]string{"Authorization": "Bearer " + header},
			"body": map[string]string{"text": "{{ alert.title }}"},
		})
		return "http: " + string(config)
	}
}

func echo(status int, r templatedtest.Request, encoding channeltest.Encoding) *templatedtest.Answer {
	u, _ := url.Parse(r.URI)
	all := encoding.Encode(channeltest.SecretsFirst(&http.Request{Method: r.Method, Host: "h", URL: u, Header: r.Header}, ""))
	return &templatedtest.Answer{Status: status, Body: all, Header: map[string]string{"X-Echo": "1"}}
}

func asJSON(v any) []byte {
	b, _ := json.Marshal(v)
	return b
}

func repeat(encoding channeltest.Encoding, answer func(text string) slacktest.Answer) func(int) slacktest.Answer {
	return func(int) slacktest.Answer {
		return slacktest.Answer{ByRequest: func(r *http.Request, body string) slacktest.Answer {
			return answer(encoding.Encode(channeltest.SecretsFirst(r, body)))
		}}
	}
}

func slackBot(answer func(text string) slacktest.Answer) provider {
	return func(t *testing.T, encoding channeltest.Encoding) string {
		s := slacktest.Start(t, repeat(encoding, answer))
		return fmt.Sprintf("slack: {token: %q, channel: %s, api: %q}", slacktest.Token, slacktest.Channel, s.API())
	}
}

// pager starts a server that echoes the routing key in a body made by answer.
func pager(status int, answer func(text string) string) provider {
	return func(t *testing.T, encoding channeltest.Encoding) string {
		s := pagerdutytest.Start(t)
		s.SetAnswer(func(body []byte) *pagerdutytest.Answer {
			var sent struct {
				Key string `json:"routing_key"`
			}
			_ = json.Unmarshal(body, &sent)
			return &pagerdutytest.Answer{Status: status, Body: answer(encoding.Encode(sent.Key + " " + string(body))), Header: map[string]string{"X-Echo": sent.Key}}
		})
		return fmt.Sprintf("pagerduty: {routing_key: %q, url: %q}", pagerdutytest.Key, s.URL)
	}
}

func hook(status int) provider {
	return func(t *testing.T, encoding channeltest.Encoding) string {
		s := webhooktest.Start(t, "", func(_ int, r webhooktest.Request) webhooktest.Answer {
			u, _ := url.Parse(r.Path)
			all := encoding.Encode(channeltest.SecretsFirst(&http.Request{Method: "POST", Host: "h", URL: u, Header: r.Header}, ""))
			return webhooktest.Answer{Status: status, Body: all, Header: map[string]string{"X-Echo": "1"}}
		})
		config, _ := json.Marshal(map[string]any{
			"url": s.URL + "/" + pathKey + "?sig=" + url.QueryEscape(queryKey), "headers": map[string]string{"Authorization": "Bearer " + header},
		})
		return "webhook: " + string(config)
	}
}

// mail starts a server that echoes the credentials (all) where answer says so;
// "" is the default reply.
func mail(answer func(line, all string) string) provider {
	return func(t *testing.T, encoding channeltest.Encoding) string {
		addr := smtptest.Raw(t, func(line string) string {
			all := password + " desk:" + password + " " + base64.StdEncoding.EncodeToString([]byte("\x00desk\x00"+password))
			all = strings.NewReplacer("\r", " ", "\n", " ").Replace(encoding.Encode(all))
			if a := answer(line, all); a != "" {
				return a
			}
			if strings.HasPrefix(line, "EHLO") {
				return "250-raw\n250 AUTH PLAIN"
			}
			if strings.HasPrefix(line, "AUTH") {
				return "235 2.7.0 welcome"
			}
			return smtptest.Default(line)
		})
		config, _ := json.Marshal(map[string]any{
			"server": addr, "tls": "none", "from": "a@example.com", "to": []string{"b@example.com"}, "username": "desk", "password": password,
		})
		return "email: " + string(config)
	}
}

// TestEchoedSecretsAreRedacted: a provider, or a proxy in front of it, echoes
// the request in its response. Every kind of channel has a
// row above.
func TestEchoedSecretsAreRedacted(t *testing.T) {
	var kinds []string
	for kind := range providers {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	if !slices.Equal(kinds, slices.Sorted(slices.Values(registry.Kinds()))) {
		t.Errorf("the kinds are %v, tested are %v", registry.Kinds(), kinds)
	}
	secrets := []string{slacktest.Token, pagerdutytest.Key, "/services/T0/B0/key", pathKey, queryKey, url.QueryEscape(queryKey), header, password}
	for _, name := range templated.Presets() {
		secrets = append(secrets, templatedtest.Secrets(name)...)
	}
	for kind, ways := range providers {
		for way, start := range ways {
			if start == nil {
				continue
			}
			t.Run(kind+"/"+strings.ReplaceAll(way, " ", "-"), func(t *testing.T) {
				channeltest.Echo(t, channeltest.EchoTest{Secrets: secrets, Start: func(t *testing.T, encoding channeltest.Encoding) channel.Channel {
					set, faults := decode("{it: {" + start(t, encoding) + "}}")
					if len(faults.Errors()) > 0 {
						t.Fatal(faults)
					}
					c := set.Get("it")
					ch, err := c.Build("it", registry.Deps{Console: io.Discard, Redactor: secret.NewRedactor(c.Settings())})
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { _ = ch.(io.Closer).Close() })
					return ch
				}})
			})
		}
	}
}

// A message tells why another channel cannot send, in the words of its provider, which
// may have echoed a secret.
func TestCauseOfFallbackIsRedacted(t *testing.T) {
	for _, encoding := range channeltest.Encodings {
		set, _ := decode(fmt.Sprintf("{desk: {console: {}}, chat: {slack: {token: %q, channel: C0DESK01}}}", slacktest.Token))
		var out strings.Builder
		ch, err := set.Get("desk").Build("desk", registry.Deps{Console: &out, Redactor: secret.NewRedactor(set.Get("chat").Settings())})
		if err != nil {
			t.Fatal(err)
		}
		m := channeltest.Instead()
		m.Instead.Cause = "suspended: " + encoding.Encode(slacktest.Token)
		if _, err := ch.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if found, leaks := channeltest.FindSecret(out.String(), slacktest.Token); leaks || !strings.Contains(out.String(), "instead of desk-slack") {
			t.Errorf("%s: %s in %s", encoding.Name, found, out.String())
		}
	}
}

package templated_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/channel/templated/templatedtest"
	"github.com/algotrade/notifier/internal/outcome"
)

// sent returns the request that a configuration makes of a message. The server takes any
// body.
func sent(t *testing.T, config string, m channel.Message) templatedtest.Request {
	t.Helper()
	s := templatedtest.Start(t, "alertmanager")
	s.SetAnswer(func(templatedtest.Request) *templatedtest.Answer { return &templatedtest.Answer{Status: 201} })
	if _, err := send(t, newChannel(t, fmt.Sprintf("url: %q, %s", s.URL, config)), m); err != nil {
		t.Fatal(err)
	}
	return s.Requests()[0]
}

func TestBodyIsMarshalledFromItsLeaves(t *testing.T) {
	m := channeltest.Message()
	m.Alert.Title = alert.Text{{Text: "\"quoted\\\"\n\u2028,}", Value: true}}
	for config, want := range map[string]string{
		`{text: "{{ alert.title }}"}`: `{"text":"\"quoted\\\"⟨U+000A⟩⟨U+2028⟩,}"}`,
		`{b: 1, a: [true, null, 0.10, "1", 012, .inf, "x {{ alert.severity }} y"]}`:            `{"b":1,"a":[true,null,0.10,"1","012",".inf","x warning y"]}`,
		`{priority: "{{ alert.severity == \"critical\" ? 5 : 3 }}", test: "{{ alert.test }}"}`: `{"priority":3,"test":false}`,
		`{key: "{{ alert.key }}", none: "{{ alert.digest }}", text: "{{ alert.digest }}!"}`:    `{"key":["ACC-1042","HALTED"],"none":null,"text":"–!"}`,
		`{fields: "{{ alert.fields }}", venue: "{{ alert.field.strategy }}"}`:                  `{"fields":[{"label":"strategy","value":"mean-rev-7"},{"label":"note","value":"line⟨U+000D⟩⟨U+000A⟩break ⟨U+202E⟩ reversed"}],"venue":"mean-rev-7"}`,
		`["{{ alert.key_text }}", {}, []]`:                                                     `["ACC-1042/HALTED",{},[]]`,
		`"{{ alert.event_time }}"`:                                                             `"2026-11-23T14:31:05Z"`,
	} {
		if got := string(sent(t, "body: "+config, m).Body); got != want {
			t.Errorf("%s\n got %s\nwant %s", config, got, want)
		}
	}
}

func TestBodyReadsDigests(t *testing.T) {
	body := string(sent(t, `body: {n: "{{ alert.digest.alerts }}", title: "{{ alert.title }}", text: "{{ alert.text }}"}`, channeltest.GroupDigest()).Body)
	want := `{"n":12,"title":"order-rejected HALTED: 12 alerts since 14:31:05 UTC","text":"14:31:05 CRITICAL Rejected: @everyone [a](https://evil.example.com)\n` +
		"14:31:35 warning Rejected: `AMD`" + `\n14:31:05 warning Rejected: <NVDA> & *co* <!channel> (halted)\nand 9 more"}`
	if body != want {
		t.Errorf("got\n%s\nwant\n%s", body, want)
	}
}

func TestHolesAreEscapedAndLiteralsAreNot(t *testing.T) {
	for escape, want := range map[string]string{
		"none": "<b>Rejected: <NVDA> & *co* <!channel> (halted)</b>", "html": "<b>Rejected: &lt;NVDA&gt; &amp; *co* &lt;!channel&gt; (halted)</b>",
		"slack": "<b>Rejected: &lt;NVDA&gt; &amp; *co* &lt;!channel&gt; (halted)</b>", "markdown": "<b>`Rejected: <NVDA> & *co* <!channel> (halted)`</b>",
	} {
		if got := sent(t, `body: "<b>{{ alert.title }}</b>", encoding: text, escape: `+escape, channeltest.Message()); string(got.Body) != want || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/plain") {
			t.Errorf("%s: %s", escape, got.Body)
		}
	}
}

func TestLongTextsOfBodyAreCut(t *testing.T) {
	m := channeltest.Message()
	m.Alert.Title = alert.Text{{Text: strings.Repeat("<", 100), Value: true}}
	if got := string(sent(t, `body: "<b>{{ alert.title }}</b>", encoding: text, escape: html, max_text: 20`, m).Body); got != "<b>&lt;&lt;&lt;&lt;…" {
		t.Errorf("got %s", got)
	}
}

func TestFormIsEncoded(t *testing.T) {
	r := sent(t, `method: PUT, encoding: form, body: {message: "{{ alert.title }}", priority: 1, user: a b}, headers: {X-Desk: eq}`, channeltest.Message())
	if got := string(r.Body); got != "message=Rejected%3A+%3CNVDA%3E+%26+%2Aco%2A+%3C%21channel%3E+%28halted%29&priority=1&user=a+b" {
		t.Error(got)
	}
	if r.Method != "PUT" || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.Header.Get("X-Desk") != "eq" {
		t.Errorf("%s %v", r.Method, r.Header)
	}
}

func TestPresetBodyCanBeReplaced(t *testing.T) {
	s := templatedtest.Start(t, "discord")
	c := newChannel(t, s.Config("discord")+`, body: {content: "**{{ alert.title }}**", allowed_mentions: {parse: []}}`)
	if receipt, err := send(t, c, channeltest.Message()); err != nil || receipt.ID == "" {
		t.Fatal(receipt, err)
	}
	if got := string(s.Requests()[0].Body); got != "{\"content\":\"**`Rejected: <NVDA> & *co* <!channel> (halted)`**\",\"allowed_mentions\":{\"parse\":[]}}" {
		t.Error(got)
	}
}

func TestConfiguredAnswersDecide(t *testing.T) {
	const rules = `body: {a: 1}, success: {status: [200, 202..204], body: {pointer: /ok, equals: true}}, refused: {status: [400..499], body: {contains: bad text}},
		rate: {body: {pointer: /error/code, equals: 17}}, retry_after: {pointer: /error/wait}`
	for body, want := range map[string]outcome.Cause{
		`200 {"ok":true}`: "", `203 {"ok":true}`: "", `201 {"ok":true}`: outcome.Misconfigured, `200 {"ok":"true"}`: "", `200 {"ok":false}`: outcome.Misconfigured,
		`200 `: outcome.Misconfigured, `404 bad text`: outcome.PayloadRefused, `404 no`: outcome.Destination, `200 {"error":{"code":17,"wait":9}}`: outcome.RateLimited,
		`500 {"error":{"code":"17","wait":9}}`: outcome.RateLimited, `403 <html>`: outcome.Credentials,
	} {
		t.Run(body, func(t *testing.T) {
			s := templatedtest.Start(t, "alertmanager")
			var a templatedtest.Answer
			a.Body = body[4:]
			_, _ = fmt.Sscan(body[:3], &a.Status)
			s.SetAnswer(func(templatedtest.Request) *templatedtest.Answer { return &a })
			_, err := send(t, newChannel(t, fmt.Sprintf("url: %q, %s", s.URL, rules)), channeltest.Message())
			if want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if e := channeltest.AssertCause(t, err, want); want == outcome.RateLimited && e.RetryAfter.Seconds() != 9 {
				t.Errorf("Retry-After is %s", e.RetryAfter)
			}
		})
	}
}

func TestFaultsHavePlacesAndSuggestions(t *testing.T) {
	const url = `url: "https://a.example.com/x"`
	for config, want := range map[string]string{
		``:                  "http.url: is missing",
		url:                 "http.body: is missing: write the request's body, or a preset: alertmanager, discord,",
		`preset: discrod`:   `http.preset: "discrod" is not a preset: did you mean discord?`,
		`preset: pushover`:  `http.preset: "pushover" is not a preset: use one of alertmanager,`,
		`preset: discord`:   "http.url: is missing: the preset discord needs it",
		`preset: telegram`:  "http.token: is missing: the preset telegram needs it",
		`preset: ntfy`:      "http.topic: is missing",
		url + `, chat: "1"`: "http.chat: is only for the preset telegram",
		`preset: telegram, token: "bot 1/2", chat: "-1"`:                "http.token: is not a bot's token",
		`preset: telegram, token: "1:a", chat: desk`:                    `http.chat: "desk" is not a chat's id`,
		`preset: discord, url: "http://a.example.com/k3y"`:              "http.url: begins with http://: credentials would travel in the clear",
		`preset: discord, ` + url + `, encoding: form`:                  "http.encoding: has no effect without body",
		url + `, body: {t: "{{ alert.titel }}"}`:                        "http.body.t: unknown name alert.titel: did you mean alert.title?",
		url + `, body: {t: ["a", "{{ alert.title"]}`:                    "http.body.t[1]: the hole {{ is not closed",
		url + `, body: {t: "{{ event.symbol }}"}`:                       "http.body.t: unknown name event: the expressions here read alert",
		url + `, body: {t: {{ alert.title }}}`:                          "http.body.t: put a text with {{ in quotes",
		url + `, body: {a: {b: 1}}, encoding: form`:                     "http.body: is not a flat mapping",
		url + `, body: {a: 1}, encoding: text`:                          "http.body: is not a single text",
		url + `, body: {a: 1}, encoding: xml`:                           `http.encoding: "xml" is not one of json, form and text`,
		url + `, body: {a: 1}, escape: latex`:                           `http.escape: "latex" is not one of`,
		url + `, body: {a: 1}, method: GET`:                             `http.method: "GET" is not one of POST, PUT and PATCH`,
		url + `, body: {a: 1}, max_text: 5`:                             "http.max_text: 5 is less than 10",
		url + `, body: {a: 1}, success: {status: [2xx]}`:                `http.success.status[0]: "2xx" is not a status, such as 200 or 200..299`,
		url + `, body: {a: 1}, success: {body: {pointer: ok}}`:          `http.success.body.pointer: "ok" is not a JSON pointer`,
		url + `, body: {a: 1}, success: {body: {equals: true}}`:         "http.success.body.equals: needs pointer",
		url + `, body: {a: 1}, headers: {Idempotency-Key: x}`:           "http.headers.Idempotency-Key: is set by the notifier itself",
		url + `, body: {a: 1}, retry_after: {pointer: x}`:               `http.retry_after.pointer: "x" is not a JSON pointer`,
		url + `, body: {a: 1}, succes: {status: [200]}`:                 `http.succes: unknown key: did you mean "success"?`,
		`url: "http://a.example.com/", body: {a: 1}, headers: {X-A: b}`: "http.url: begins with http://: credentials",
	} {
		_, faults := decode(config)
		if !strings.Contains(faults.Error(), want) || !strings.HasPrefix(faults.Error(), "f:1:") {
			t.Errorf("%s\n got %v\nwant %s", config, faults, want)
		}
		if strings.Contains(faults.Error(), "k3y") || strings.Contains(faults.Error(), "1/2") {
			t.Errorf("the fault shows a secret: %v", faults)
		}
	}
}

package templatedtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/net/html/atom"

	tokens "golang.org/x/net/html"
)

const botToken = "123456789:AAF-t3legram_bot_token_0123456789ab"

func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }

func characters(s string) int { return utf8.RuneCountInString(s) }
func units(s string) int      { return len(utf16.Encode([]rune(s))) }

// first returns the first problem; "": none.
func first(problems ...string) string {
	for _, p := range problems {
		if p != "" {
			return p
		}
	}
	return ""
}

func check(ok bool, format string, args ...any) string {
	if ok {
		return ""
	}
	return fmt.Sprintf(format, args...)
}

// discord answers as "Execute Webhook" with wait=true does.
func discord(r Request) Answer {
	var m struct {
		Content string
		Embeds  []struct {
			Title, Description string
			Fields             []struct{ Name, Value string }
			Footer             struct{ Text string }
		}
		Mentions struct{ Parse *[]string } `json:"allowed_mentions"`
	}
	if err := json.Unmarshal(r.Body, &m); err != nil {
		return Answer{Status: 400, Body: `{"message": "The request body contains invalid JSON.", "code": 50109}`}
	}
	u, _ := url.Parse(r.URI)
	var problems []string
	for _, e := range m.Embeds {
		total := characters(e.Title + e.Description + e.Footer.Text)
		for _, f := range e.Fields {
			total += characters(f.Name + f.Value)
			problems = append(problems, check(f.Name != "" && characters(f.Name) <= 256 && f.Value != "" && characters(f.Value) <= 1024, "embeds.fields"))
		}
		problems = append(problems, check(characters(e.Description) <= 4096, "description"), check(len(e.Fields) <= 25, "fields"), check(characters(e.Footer.Text) <= 2048, "footer"), check(total <= 6000, "embed of %d", total))
	}
	problem := first(append(problems, check(characters(m.Content) <= 2000, "content"), check(m.Content != "" || len(m.Embeds) > 0, "empty"))...)
	switch {
	case problem != "":
		return Answer{Status: 400, Body: fmt.Sprintf(`{"message": "Invalid Form Body", "code": 50035, "errors": {"_errors": [{"message": %q}]}}`, problem)}
	case m.Mentions.Parse == nil || len(*m.Mentions.Parse) > 0:
		return Answer{Status: 400, Body: `{"message": "the message mentions", "code": 50035}`} // of this stand-in alone
	case u.Query().Get("wait") != "true":
		return Answer{Status: 204}
	}
	return Answer{Body: `{"id": "1310000000000000001", "type": 0, "content": "…"}`}
}

// telegram answers as sendMessage does.
func telegram(r Request) Answer {
	refuse := func(code int, description string) Answer {
		return Answer{Status: code, Body: fmt.Sprintf(`{"ok":false,"error_code":%d,"description":%q}`, code, description)}
	}
	var m struct {
		Chat string `json:"chat_id"`
		Text string
		Mode string `json:"parse_mode"`
	}
	switch {
	case r.URI != "/bot"+botToken+"/sendMessage":
		return refuse(404, "Not Found")
	case json.Unmarshal(r.Body, &m) != nil:
		return refuse(400, "Bad Request: can't parse JSON object")
	case m.Chat != "-1001234567890":
		return refuse(400, "Bad Request: chat not found")
	case m.Mode != "HTML":
		return refuse(400, "Bad Request: unsupported parse_mode")
	}
	text, err := telegramText(m.Text)
	switch {
	case err != nil:
		return refuse(400, "Bad Request: can't parse entities: "+err.Error())
	case strings.TrimSpace(text) == "":
		return refuse(400, "Bad Request: message text is empty")
	case units(text) > 4096:
		return refuse(400, "Bad Request: message is too long")
	}
	return Answer{Body: `{"ok":true,"result":{"message_id":4711,"chat":{"id":-1001234567890},"text":"…"}}`}
}

var entity = regexp.MustCompile(`&[a-z#0-9]+;`)

// telegramText returns the text without its tags. Telegram knows few tags and entities.
func telegramText(s string) (string, error) {
	for _, e := range entity.FindAllString(s, -1) {
		if e[1] != '#' && !slices.Contains([]string{"&lt;", "&gt;", "&amp;", "&quot;"}, e) {
			return "", fmt.Errorf("unsupported entity %s", e)
		}
	}
	var b strings.Builder
	var open []string
	for z := tokens.NewTokenizer(strings.NewReader(s)); ; {
		switch z.Next() {
		case tokens.ErrorToken:
			if !errors.Is(z.Err(), io.EOF) || len(open) > 0 {
				return "", fmt.Errorf("unclosed tags %v", open)
			}
			return b.String(), nil
		case tokens.TextToken:
			raw := string(z.Raw())
			if strings.ContainsAny(raw, "<>") {
				return "", errors.New("unescaped < or >")
			}
			b.WriteString(html.UnescapeString(raw))
		case tokens.StartTagToken:
			t := z.Token()
			if !slices.Contains([]atom.Atom{atom.B, atom.I, atom.Code, atom.A}, t.DataAtom) || slices.Contains(open, "code") {
				return "", fmt.Errorf("tag %s inside %v", t.Data, open)
			}
			open = append(open, t.Data)
		case tokens.EndTagToken:
			t := z.Token()
			if len(open) == 0 || open[len(open)-1] != t.Data {
				return "", fmt.Errorf("unexpected end tag %s", t.Data)
			}
			open = open[:len(open)-1]
		default:
			return "", errors.New("unsupported token")
		}
	}
}

// teams answers as a workflow does: before anything is posted.
func teams(r Request) Answer {
	var m struct {
		Type        string
		Attachments []struct {
			ContentType string
			Content     struct {
				Type, Version string
				Body          []struct {
					Type    string
					Inlines []struct{ Type, Text string }
				}
			}
		}
	}
	err := json.Unmarshal(r.Body, &m)
	problem := check(err == nil && m.Type == "message" && len(m.Attachments) == 1, "no message")
	if problem == "" {
		card := m.Attachments[0]
		problem = first(check(card.ContentType == "application/vnd.microsoft.card.adaptive" && card.Content.Type == "AdaptiveCard", "no card"), check(len(r.Body) <= 28<<10, "%d bytes", len(r.Body)), check(len(card.Content.Body) > 0, "empty"))
		for _, block := range card.Content.Body {
			for _, run := range block.Inlines {
				problem = first(problem, check(block.Type == "RichTextBlock" && run.Type == "TextRun" && run.Text != "", "an invalid block"))
			}
		}
	}
	if problem != "" {
		return Answer{Status: 400, Body: fmt.Sprintf(`{"error":{"code":"TriggerInputSchemaMismatch","message":%q}}`, problem)}
	}
	return Answer{Status: 202}
}

// mattermost answers as an incoming webhook does.
func mattermost(r Request) Answer {
	var m struct {
		Text        string
		Attachments []struct {
			Text   string
			Fields []struct{ Title, Value string }
		}
	}
	switch err := json.Unmarshal(r.Body, &m); {
	case err != nil:
		return Answer{Status: 400, Body: `{"id":"api.webhook.incoming.error","message":"Could not decode the multipart payload of incoming webhook.","status_code":400}`}
	case m.Text == "" && len(m.Attachments) == 0:
		return Answer{Status: 400, Body: `{"id":"web.incoming_webhook.text.app_error","message":"No text specified.","status_code":400}`}
	case characters(m.Text) > 16_383 || len(r.Body) > 800_000:
		return Answer{Status: 400, Body: `{"id":"web.incoming_webhook.text.length.app_error","message":"Maximum text length is 16383 characters.","status_code":400}`}
	}
	return Answer{Body: "ok"}
}

// googleChat answers as spaces.messages.create does.
func googleChat(r Request) Answer {
	var m struct {
		Text  string
		Cards []struct {
			Card struct {
				Header   struct{ Title string }
				Sections []struct{ Widgets []map[string]any }
			}
		} `json:"cardsV2"`
	}
	err := json.Unmarshal(r.Body, &m)
	problem := first(check(err == nil, "Invalid JSON payload received."), check(len(r.Body) <= 32_000, "Message is too long: %d bytes", len(r.Body)), check(m.Text != "" || len(m.Cards) > 0, "Message cannot be empty."))
	for _, c := range m.Cards {
		problem = first(problem, check(c.Card.Header.Title != "", "title"))
		for _, s := range c.Card.Sections {
			problem = first(problem, check(len(s.Widgets) > 0, "a section without widgets"))
		}
	}
	if problem != "" {
		return Answer{Status: 400, Body: fmt.Sprintf(`{"error":{"code":400,"message":%q,"status":"INVALID_ARGUMENT"}}`, problem)}
	}
	return Answer{Body: `{"name":"spaces/AAQA/messages/BBB.BBB","sender":{"type":"BOT"}}`}
}

// ntfy answers as publishing as JSON does. A longer message becomes a file, which this
// server does not keep.
func ntfy(r Request) Answer {
	refuse := func(code int, text string) Answer {
		return Answer{Status: code / 100, Body: fmt.Sprintf(`{"code":%d,"http":%d,"error":%q,"link":"https://ntfy.sh/docs"}`, code, code/100, text)}
	}
	var m struct {
		Topic, Title, Message string
		Priority              int
	}
	switch err := json.Unmarshal(r.Body, &m); {
	case r.Header.Get("Authorization") != "Bearer tk_Ntfy0Token":
		return refuse(40101, "unauthorized")
	case err != nil || r.URI != "/":
		return refuse(40017, "invalid request: request body must be message JSON")
	case m.Topic != "s3cret-topic":
		return refuse(40301, "forbidden")
	case m.Priority < 1 || m.Priority > 5:
		return refuse(40007, "invalid priority")
	case len(m.Message) > 4096:
		return refuse(40014, "invalid request: attachments not allowed")
	}
	return Answer{Body: `{"id":"sPs71M8A2T","time":1795444265,"event":"message","topic":"…"}`}
}

// alertmanager answers as a receiver of Alertmanager's webhooks does.
func alertmanager(r Request) Answer {
	name := regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
	var m struct {
		Version, GroupKey, Status, Receiver string
		Alerts                              []struct {
			Status, StartsAt, EndsAt, Fingerprint string
			Labels, Annotations                   map[string]string
		}
		GroupLabels, CommonLabels, CommonAnnotations map[string]string
	}
	err := json.Unmarshal(r.Body, &m)
	problem := check(err == nil && m.Version == "4" && (m.Status == "firing" || m.Status == "resolved") && len(m.Alerts) > 0 && m.GroupKey != "" && m.CommonLabels != nil, "no notification of version 4")
	for _, a := range m.Alerts {
		problem = first(problem, check(a.Labels["alertname"] != "" && len(a.Fingerprint) == 16 && a.StartsAt != "", "an invalid alert"))
		problem = first(problem, check((a.Status == "resolved") == (a.EndsAt != "0001-01-01T00:00:00Z") && (a.Status == "firing" || a.Status == "resolved"), "ends at %s, but is %s", a.EndsAt, a.Status))
		for label := range a.Annotations {
			problem = first(problem, check(name.MatchString(label), "the name %q", label))
		}
	}
	if problem != "" {
		return Answer{Status: 400, Body: problem}
	}
	return Answer{}
}

package templated

import (
	"net/url"
	"strings"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/outcome"
)

// ntfy publishes to a topic as JSON, which, unlike headers, needs no encoding of the
// title (docs.ntfy.sh/publish/#publish-as-json).
var ntfy = preset{
	name: "ntfy", url: "https://ntfy.sh", needs: []string{"topic"}, medium: plain, render: renderNtfy,
	budgets: []budget{{"/title", 250}, {"/message", ntfyMessage}},
	address: func(_ *Config, u *url.URL) {
		if u.Path == "" {
			u.Path = "/"
		}
	},
	rate: 0.2, burst: 40, // ntfy.sh takes 60 at once, then one in 5 seconds
	answers: answers{
		success: []match{{status: success, pointer: "/event", equals: "message"}},
		rules: []rule{
			{match{pointer: "/code", equals: "40009"}, outcome.Destination}, // the topic is invalid
			{match{pointer: "/code", equals: "40010"}, outcome.Destination}, // the topic is not allowed
			{match{status: codes(507)}, outcome.Unavailable},
		},
		receipt: "/id", owned: true,
	},
	remedy: map[outcome.Cause]string{
		outcome.Destination: "check url and topic",
		outcome.Credentials: "check token, and that it may write to the topic",
	},
}

// ntfyMessage is our limit in bytes. Above 4,096 ntfy makes a file of the message.
const ntfyMessage = 3900

func renderNtfy(c *Config, m channel.Message) any {
	content := m.Content()
	foot := plain.fit(literal(content.Footer()), 500)
	left := ntfyMessage - len(foot) - 1
	var lines []string
	for _, f := range content.Fields {
		line := plain.fit(append(literal(f.Label+": "), f.Value...), ntfyMessage/4)
		if left -= len(line) + 1; left < 200 {
			lines = append(lines, "…")
			break
		}
		lines = append(lines, line)
	}
	lines = append(lines, plain.lines(content, max(left, 200)-50)...)
	body := object{
		"topic": c.Topic.Current(), "title": plain.fit(append(literal(content.Heading+": "), content.Title...), 250), "message": orDash(strings.Join(append(lines, foot), "\n")),
		"priority": 3, "tags": []string{"information_source"},
	}
	switch {
	case m.Resolved():
		body["tags"] = []string{"white_check_mark"}
	case content.Severity == alert.Critical:
		body["priority"], body["tags"] = 5, []string{"rotating_light"}
	case content.Severity == alert.Warning:
		body["priority"], body["tags"] = 4, []string{"warning"}
	}
	if content.Runbook != "" {
		body["click"] = content.Runbook
	}
	return body
}

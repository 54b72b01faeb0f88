package templated

import (
	"fmt"
	"strings"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/outcome"
)

// mattermost posts to an incoming webhook (developers.mattermost.com, "Incoming
// webhooks"), which answers ok as text.
var mattermost = preset{
	name: "mattermost", needs: []string{"url"}, medium: markdown, render: renderMattermost,
	budgets: []budget{{"/text", mattermostTitle}, {"/attachments/0/text", mattermostText}},
	rate:    5, burst: 5,
	answers: answers{
		success: []match{{status: success, text: "ok"}},
		rules: []rule{
			{match{pointer: "/id", contains: "web.incoming_webhook.invalid"}, outcome.Destination},
			{match{pointer: "/id", contains: "web.incoming_webhook.disabled"}, outcome.Destination},
			{match{pointer: "/id", contains: "web.incoming_webhook.channel"}, outcome.Destination},
			{match{pointer: "/id", contains: "web.incoming_webhook.permissions"}, outcome.Destination},
			{match{pointer: "/id", contains: "web.incoming_webhook.user"}, outcome.Destination},
			{match{pointer: "/id", contains: "web.incoming_webhook.text.length"}, outcome.PayloadTooLarge},
		},
		owned: true,
	},
	remedy: map[outcome.Cause]string{
		outcome.Destination: "check that the incoming webhook exists and is enabled in Mattermost, and may post to its channel",
	},
}

// Mattermost splits longer messages; these are our limits, in characters.
const (
	mattermostTitle = 2000
	mattermostText  = 4000
	mattermostValue = 1000
)

func renderMattermost(_ *Config, m channel.Message) any {
	c := m.Content()
	text := strings.Join(markdown.lines(c, mattermostText), "\n")
	if c.Runbook != "" {
		text = strings.TrimPrefix(text+"\n[runbook](<"+c.Runbook+">)", "\n")
	}
	fields := []object{}
	left := mattermostText
	foot := c.Footer()
	for i, f := range c.Fields {
		value := markdown.fit(f.Value, mattermostValue)
		if left -= units(value) + units(f.Label); left < 0 {
			foot += fmt.Sprintf(" · %d more fields", len(c.Fields)-i)
			break
		}
		fields = append(fields, object{"title": plain.fit(literal(f.Label), 200), "value": orDash(value), "short": true})
	}
	return object{
		"text": markdown.fit(heading(c), mattermostTitle),
		"attachments": []object{{
			"color": fmt.Sprintf("#%06X", m.Colour()), "text": text, "fields": fields, "footer": plain.fit(literal(foot), 300),
		}},
	}
}

package templated

import (
	"encoding/json"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/outcome"
)

// teams posts an Adaptive Card to a Workflows webhook ("When a Teams webhook request is
// received"), which answers 202 before anything is posted. The retired connectors
// answered 200 with a text, also when they failed.
var teams = preset{
	name: "teams", needs: []string{"url"}, medium: plain, render: renderTeams,
	body: teamsBody,
	rate: 2, burst: 4,
	answers: answers{
		rules: []rule{
			{match{status: success, contains: "HTTP error 429"}, outcome.RateLimited},
			{match{status: success, contains: "Webhook message delivery failed"}, outcome.Unavailable},
			{match{contains: "WorkflowTriggerIsNotEnabled"}, outcome.Destination},
			{match{contains: "DirectApiAuthorizationRequired"}, outcome.Credentials},
			{match{contains: "Webhook Bad Request"}, outcome.PayloadRefused},
		},
		success: []match{{status: success}}, owned: true,
	},
	remedy: map[outcome.Cause]string{
		outcome.Destination: "turn on the workflow in Teams, or create one and configure its URL",
		outcome.Credentials: "copy the workflow's URL again, with its signature (sig=…)",
	},
}

// teamsBody is our limit of the request in bytes. Teams takes 28 KB of what it makes
// of a card.
const teamsBody = 20_000

func renderTeams(_ *Config, m channel.Message) any {
	c := m.Content()
	for cut := false; ; cut = true {
		body := teamsCard(m, c, cut)
		encoded, err := json.Marshal(body)
		if err != nil || len(encoded) <= teamsBody || len(c.Lines)+len(c.Fields) == 0 {
			return body
		}
		switch n := len(c.Lines); { // the text is shortened first
		case n > 0 && c.Digest:
			c.Lines, c.More = c.Lines[:n/2], c.More+n-n/2
		case n > 0:
			c.Lines = c.Lines[:n/2]
		default:
			c.Fields = c.Fields[:len(c.Fields)/2]
		}
	}
}

// teamsCard returns the message. Its texts are runs of RichTextBlocks, in which Markdown
// is not interpreted, and its fields, too, since those of a FactSet are Markdown.
func teamsCard(m channel.Message, c channel.Content, cut bool) object {
	const longest = 2000 // bytes of one text
	run := func(text string, with object) object {
		o := object{"type": "TextRun", "text": text}
		for k, v := range with {
			o[k] = v
		}
		return o
	}
	block := func(runs ...object) object { return object{"type": "RichTextBlock", "inlines": runs} }
	style := map[alert.Severity]string{alert.Critical: "Attention", alert.Warning: "Warning"}[c.Severity]
	switch {
	case m.Resolved():
		style = "Good"
	case style == "":
		style = "Accent"
	}
	body := []object{block(run(plain.fit(heading(c), longest), object{"size": "Large", "weight": "Bolder", "color": style}))}
	for _, f := range c.Fields {
		body = append(body, block(run(plain.fit(literal(f.Label), 200)+"  ", object{"isSubtle": true}), run(orDash(plain.fit(f.Value, longest)), nil)))
	}
	for _, line := range c.Lines {
		body = append(body, block(run(plain.fit(line, longest), nil)))
	}
	foot := c.Footer()
	switch {
	case c.Digest && c.More > 0:
		body = append(body, block(run(more(c, 0), nil)))
	case cut:
		foot += " · shortened"
	}
	body = append(body, block(run(orDash(plain.fit(literal(foot), longest)), object{"size": "Small", "isSubtle": true})))
	card := object{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": body, "msteams": object{"width": "Full"}}
	if c.Runbook != "" {
		card["actions"] = []object{{"type": "Action.OpenUrl", "title": "Runbook", "url": c.Runbook}}
	}
	return object{"type": "message", "attachments": []object{{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}}}
}

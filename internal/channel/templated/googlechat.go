package templated

import (
	"fmt"
	"strings"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/outcome"
)

// googleChat posts a card to a webhook of a space (developers.google.com/workspace/chat,
// "Create messages", "Cards v2"). The texts of a message can mention; those of a card
// cannot.
var googleChat = preset{
	name: "googlechat", needs: []string{"url"}, medium: cards, render: renderGoogleChat,
	budgets: []budget{{"/cardsV2/0/card/header/title", 1000}},
	rate:    1, burst: 2, // 1 a second for a space
	answers: answers{
		success: []match{{status: success, pointer: "/name"}},
		rules: []rule{
			{match{status: codes(400), contains: "API key not valid"}, outcome.Credentials},
			{match{pointer: "/error/status", equals: "RESOURCE_EXHAUSTED"}, outcome.RateLimited},
		},
		receipt: "/name", owned: true,
	},
	remedy: map[outcome.Cause]string{
		outcome.Destination: "the space or its webhook was deleted: create a webhook under the space's Apps & integrations",
		outcome.Credentials: "copy the webhook's URL again, with its key and token, from the space's Apps & integrations",
	},
}

// chatCard is our limit of a card's texts in bytes; a message has 32,000.
const chatCard = 12_000

func renderGoogleChat(_ *Config, m channel.Message) any {
	c := m.Content()
	left := chatCard
	foot := c.Footer()
	var widgets []object
	for i, f := range c.Fields {
		value := cards.fit(f.Value, chatCard/4)
		label := cards.fit(literal(f.Label), 200)
		if left -= len(value) + len(label); left < 1000 {
			foot += fmt.Sprintf(" · %d more fields", len(c.Fields)-i)
			break
		}
		widgets = append(widgets, object{"decoratedText": object{"topLabel": label, "text": orDash(value), "wrapText": true}})
	}
	if text := strings.Join(cards.lines(c, max(left, 1000)), "\n"); text != "" {
		widgets = append(widgets, object{"textParagraph": object{"text": text}})
	}
	if c.Runbook != "" {
		widgets = append(widgets, object{"buttonList": object{"buttons": []object{{"text": "Runbook", "onClick": object{"openLink": object{"url": c.Runbook}}}}}})
	}
	if len(widgets) == 0 { // Chat refuses a section without widgets
		widgets = []object{{"textParagraph": object{"text": cards.fit(c.Title, 2000)}}}
	}
	title := plain.fit(heading(c), 1000)
	header := object{"title": title}
	if foot != "" {
		header["subtitle"] = plain.fit(literal(foot), 300)
	}
	return object{
		"fallbackText": withoutMentions(title),
		"cardsV2":      []object{{"cardId": "alert", "card": object{"header": header, "sections": []object{{"widgets": widgets}}}}},
	}
}

// withoutMentions returns a text in which Chat finds no mention (<users/all>).
func withoutMentions(s string) string {
	return alert.Shorten(strings.NewReplacer("<", "‹", ">", "›").Replace(s), 300)
}

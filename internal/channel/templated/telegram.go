package templated

import (
	"html"
	"net/url"
	"strings"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/outcome"
)

// telegram sends with a bot (core.telegram.org/bots/api#sendmessage). The URL contains
// the bot's token.
var telegram = preset{
	name: "telegram", url: "https://api.telegram.org", needs: []string{"token", "chat"}, medium: chat, render: renderTelegram,
	budgets: []budget{{"/text", telegramText}},
	address: func(c *Config, u *url.URL) {
		u.Path = strings.TrimSuffix(u.Path, "/") + "/bot" + c.Token.Current() + "/sendMessage"
		u.RawPath = ""
	},
	rate: 1.0 / 3, burst: 5, // 20 a minute in a group
	answers: answers{
		success: []match{{status: success, pointer: "/ok", equals: "true"}},
		rules: []rule{
			{match{pointer: "/error_code", equals: "429"}, outcome.RateLimited},
			{match{pointer: "/parameters/migrate_to_chat_id"}, outcome.Destination},
			{match{status: codes(400), contains: "chat not found"}, outcome.Destination},
			{match{status: codes(400), contains: "CHAT_WRITE_FORBIDDEN"}, outcome.Destination},
			{match{status: codes(400), contains: "not enough rights"}, outcome.Destination},
			{match{status: codes(400), contains: "TOPIC_CLOSED"}, outcome.Destination},
			{match{status: codes(400), contains: "message is too long"}, outcome.PayloadTooLarge},
			{match{status: codes(401, 404), pointer: "/ok"}, outcome.Credentials},
			{match{status: codes(403), pointer: "/ok"}, outcome.Destination},
		},
		retryAfter: "/parameters/retry_after", receipt: "/result/message_id", owned: true,
	},
	remedy: map[outcome.Cause]string{
		outcome.Destination: "check chat, and that the bot is a member that may write; a group that became a supergroup has a new id",
		outcome.Credentials: "copy the bot's token again from @BotFather",
	},
}

const telegramText = 4096 // UTF-16 code units

func renderTelegram(c *Config, m channel.Message) any {
	content := m.Content()
	var b strings.Builder
	// Nothing can stand inside <code>, so <b> ends where a value begins.
	bold := chat
	bold.literal = func(s string) string { return "<b>" + html.EscapeString(s) + "</b>" }
	head := bold.fit(heading(content), telegramText/3)
	tail := "\n<i>" + html.EscapeString(plain.fit(literal(content.Footer()), 500)) + "</i>"
	if content.Runbook != "" && len(content.Runbook) < 500 {
		tail += ` <a href="` + html.EscapeString(content.Runbook) + `">runbook</a>`
	}
	b.WriteString(head)
	left := telegramText - units(head) - units(tail) - 8
	for i, f := range content.Fields {
		line := "\n" + chat.fit(append(literal(f.Label+": "), f.Value...), telegramText/4)
		if left -= units(line); left < 0 {
			b.WriteString("\n…")
			content.Fields = content.Fields[:i]
			break
		}
		b.WriteString(line)
	}
	if left > 100 {
		for _, line := range chat.lines(content, left) {
			b.WriteString("\n" + line)
		}
	}
	return object{
		"chat_id": c.Chat, "text": b.String() + tail, "parse_mode": "HTML", "link_preview_options": object{"is_disabled": true},
		"disable_notification": content.Severity == alert.Info || m.Resolved(),
	}
}

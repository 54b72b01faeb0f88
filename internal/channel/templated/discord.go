package templated

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/outcome"
)

// discord posts to a webhook of a Discord channel (discord.com/developers, "Execute
// Webhook"). With wait=true Discord answers after the message is stored; without it,
// "a message that is not saved does not return an error".
var discord = preset{
	name: "discord", needs: []string{"url"}, medium: markdown, render: renderDiscord,
	budgets: []budget{{"/content", discordContent}, {"/embeds/0/description", discordText}},
	address: func(_ *Config, u *url.URL) {
		q := u.Query()
		q.Set("wait", "true")
		u.RawQuery = q.Encode()
	},
	rate: 0.5, burst: 5, // 30 a minute for a channel
	answers: answers{
		success:    []match{{status: success, pointer: "/id"}, {status: codes(204)}},
		rules:      []rule{{match{pointer: "/code", equals: "50027"}, outcome.Credentials}, {match{pointer: "/code", equals: "10015"}, outcome.Destination}},
		retryAfter: "/retry_after", receipt: "/id", owned: true,
	},
	remedy: map[outcome.Cause]string{
		outcome.Destination: "the webhook was deleted: create one in the channel's settings, Integrations, and configure its URL",
		outcome.Credentials: "copy the webhook's URL again from the channel's settings, Integrations",
	},
}

// Discord's limits, in characters (discord.com/developers, "Embed Limits").
const (
	discordContent = 2000
	discordText    = 4096
	discordFields  = 25
	discordName    = 256
	discordValue   = 1024
	discordEmbed   = 6000
)

func renderDiscord(_ *Config, m channel.Message) any {
	c := m.Content()
	c.Time = "" // Discord shows the embed's time, in the reader's zone
	text := strings.Join(markdown.lines(c, discordText-3*discordName), "\n")
	if c.Runbook != "" && len(c.Runbook) <= 2*discordName {
		text = strings.TrimPrefix(text+"\n[runbook](<"+c.Runbook+">)", "\n")
	}
	foot := c.Footer()
	left := discordEmbed - units(text) - discordName
	fields := []object{}
	for i, f := range c.Fields {
		name, value := markdown.fit(literal(f.Label), discordName), markdown.fit(f.Value, discordValue)
		size := units(name) + units(value)
		if i == discordFields || size > left {
			foot += fmt.Sprintf(" · %d more fields", len(c.Fields)-i)
			break
		}
		left -= size
		fields = append(fields, object{"name": orDash(name), "value": orDash(value), "inline": true})
	}
	embed := object{"description": text, "color": m.Colour(), "fields": fields, "footer": object{"text": orDash(plain.fit(literal(foot), discordName))}}
	if !m.Alert.EventTime.IsZero() {
		embed["timestamp"] = m.Alert.EventTime.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	return object{
		"content": markdown.fit(heading(c), discordContent), "embeds": []object{embed},
		"allowed_mentions": object{"parse": []string{}},
	}
}

package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/algotrade/notifier/internal/topics"
)

const hostileGroup = "hostile"

// The channels of the soak. The first four behave; the others are there to
// harm, each in one way.
const (
	chHealthy  = "healthy"  // a webhook: half of the planted alerts
	chChat     = "chat"     // Slack: some of them
	chPicky    = "picky"    // a webhook that refuses one rule's contents, and no other's
	chWild     = "wild"     // a webhook that takes the alerts of hostile records
	chMail     = "mail"     // a mail server that takes them too
	chHang     = "hang"     // never answers
	chTrickle  = "trickle"  // answers one byte each half second
	chFlood    = "flood"    // answers with a body without end
	chHeaders  = "headers"  // answers with headers without end
	chEcho     = "echo"     // answers with what it was sent, secrets included
	chOddChat  = "odd-chat" // a Slack that answers oddly
	chGreeting = "mail-greeting"
	chReply    = "mail-reply"
	chLine     = "mail-line"
	chAccept   = "mail-accept"
	chLogin    = "mail-login"
)

// hostileChannels are the channels that harm, in the order of the list above.
func hostileChannels() []string {
	return []string{chHang, chTrickle, chFlood, chHeaders, chEcho, chOddChat, chGreeting, chReply, chLine, chAccept, chLogin}
}

func isMail(channel string) bool { return channel == chMail || strings.HasPrefix(channel, "mail-") }

// The secrets of the configuration. Most hold characters that JSON and URLs
// escape, so that a provider's echo comes in another spelling. A leak is any
// of their parts.
const (
	pathKey     = "kQ7pathZw3Lr9"
	bearer      = `tB5bearerVn2<&>"Hc8bearerJd4`
	signingKey  = `sG1signingPq6\<Ym3signingRt7`
	botToken    = "xoxb-4417-wX9botTokenFk2"
	mailUser    = "uM2mailUserSx5"
	mailSecret  = `mZ8mailPassBv1<"&Lf6mailPassNg3`
	slackHookID = "hT3slackHookDy8"
)

// spellings are the texts that must not be seen anywhere.
func spellings() []string {
	list := []string{
		pathKey, "tB5bearerVn2", "Hc8bearerJd4", "sG1signingPq6", "Ym3signingRt7", botToken, "wX9botTokenFk2",
		mailUser, "mZ8mailPassBv1", "Lf6mailPassNg3", slackHookID,
	}
	for _, s := range []string{bearer, signingKey, botToken, mailUser, mailSecret, "\x00" + mailUser + "\x00" + mailSecret} {
		list = append(list, base64.StdEncoding.EncodeToString([]byte(s)))
	}
	return list
}

// hostileRules show the place of the record first, which is how an alert is
// told; hostile fields follow it.
const hostileRules = `version: 1
rules:
  - {name: planted, topic: [%[1]s], when: 'event.alert == "planted"', severity: critical, to: [healthy], title: "{{ meta.topic }}/{{ meta.partition }}/{{ meta.offset }}"}
  - {name: planted-chat, topic: [%[1]s], when: 'event.alert == "planted-chat"', severity: critical, to: [chat], title: "{{ meta.topic }}/{{ meta.partition }}/{{ meta.offset }}"}
  - {name: planted-picky, topic: [%[1]s], when: 'event.alert == "planted-picky"', severity: critical, to: [picky], title: "{{ meta.topic }}/{{ meta.partition }}/{{ meta.offset }}"}
  - {name: refused, topic: [%[1]s], when: 'event.alert == "refused"', severity: warning, to: [picky], title: "{{ meta.topic }}/{{ meta.partition }}/{{ meta.offset }} REFUSE"}
  - name: wild
    topic: [%[1]s]
    when: event.alert == "wild"
    severity: warning
    key: [event.k, event.symbol]
    to: [wild, mail]
    title: "{{ meta.topic }}/{{ meta.partition }}/{{ meta.offset }} {{ event.reason }}"
    text: "{{ event.text }} {{ event.price }} {{ event.event_type }}"
    fields: [event.symbol, event.account_id, {who: event.who}, {list: event.list}]
  - {name: weights, topic: [%[1]s], when: 'any(event.positions, .weight > 0.5)', severity: warning, to: [wild, mail], title: "{{ meta.topic }}/{{ meta.partition }}/{{ meta.offset }}"}
  - {name: budget, topic: [%[1]s], when: 'any(event.a, .x in event.b)', severity: warning, to: [wild, mail], title: "{{ meta.topic }}/{{ meta.partition }}/{{ meta.offset }}"}
`

// write writes the daemon's configuration.
func (h *hostile) write() error {
	var sources []string
	for _, n := range topics.All() {
		sources = append(sources, string(n))
	}
	rules := fmt.Sprintf(hostileRules, strings.Join(sources, ", "))
	var b strings.Builder
	fmt.Fprintf(&b, "kafka: {brokers: [%q], group: %s, start: latest}\nrules: rules.yaml\nhttp: {listen: '127.0.0.1:0'}\nlog: {format: json}\nchannels:\n", h.kafka.addr, hostileGroup)
	hook := func(name, more string) {
		fmt.Fprintf(&b, "  %s: {webhook: {url: '%s/%s/%s', secret: %q, headers: {Authorization: %q}}%s}\n", name, h.peers.url, name, pathKey, "raw:"+signingKey, "Bearer "+bearer, more)
	}
	hook(chHealthy, "")
	hook(chPicky, ", partitions: 1")
	hook(chWild, "")
	fmt.Fprintf(&b, "  %s: {slack: {token: %q, channel: C0123456789, api: '%s/%s/api/'}, digest: off}\n", chChat, botToken, h.peers.url, chChat)
	fmt.Fprintf(&b, "  %s: {slack: {webhook: '%s/%s/services/%s'}, timeout: 5s, digest: off}\n", chOddChat, h.peers.url, chOddChat, slackHookID)
	for _, name := range []string{chHang, chTrickle, chFlood, chHeaders, chEcho} {
		hook(name, ", timeout: 5s")
	}
	for name, m := range h.mails {
		fmt.Fprintf(&b, "  %s: {email: {server: %q, from: alerts@example.com, to: [desk@example.com], tls: none, username: %q, password: %q, accept_timeout: 10s}, timeout: 20s, digest: off}\n",
			name, m.addr, mailUser, mailSecret)
	}
	for _, name := range hostileChannels() {
		rules += fmt.Sprintf("  - {name: to-%[1]s, topic: [%[2]s], when: 'event.alert == %[1]q', severity: warning, to: [%[1]s], title: \"{{ meta.topic }}/{{ meta.partition }}/{{ meta.offset }}\"}\n",
			name, strings.Join(sources, ", "))
	}
	if err := os.WriteFile(filepath.Join(h.dir, "notifier.yaml"), []byte(b.String()), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(h.dir, "rules.yaml"), []byte(rules), 0o600)
}

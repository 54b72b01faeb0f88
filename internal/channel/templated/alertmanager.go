package templated

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/outcome"
)

// alertmanager posts what Prometheus Alertmanager posts to webhooks
// (prometheus.io/docs/alerting/latest/configuration, "webhook_config"), version 4, so
// that its receivers work unchanged. The values are data, which the receiver escapes.
var alertmanager = preset{
	name: "alertmanager", needs: []string{"url"}, medium: plain, render: renderAlertmanager,
	body:    amBody,
	answers: answers{success: []match{{status: success}}},
	remedy:  map[outcome.Cause]string{outcome.Destination: "correct url: the receiver does not accept POST requests there"},
}

// amBody is our limit of the request in bytes: further alerts of a digest are left out.
const amBody = 200_000

func renderAlertmanager(_ *Config, m channel.Message) any {
	items := []alert.Alert{m.Alert}
	if m.Digest != nil && len(m.Digest.Items) > 0 {
		items = m.Digest.Items
	}
	for {
		body := amNotification(m, items)
		if encoded, err := json.Marshal(body); err != nil || len(encoded) <= amBody || len(items) == 1 {
			return body
		}
		items = items[:len(items)/2]
	}
}

// amNotification returns the notification of some alerts of a message.
func amNotification(m channel.Message, items []alert.Alert) object {
	truncated, status := 0, "resolved" // if all alerts are
	group := map[string]string{"alertname": orDash(alert.Visible(m.Alert.Rule))}
	if m.Digest != nil {
		truncated = max(0, m.Digest.Alerts-len(items))
		group = map[string]string{"group": alert.Visible(strings.Join(m.Digest.Group, "/"))}
	}
	alerts := make([]object, len(items))
	labels, annotations := make([]map[string]string, len(items)), make([]map[string]string, len(items))
	for i, item := range items {
		single := m
		single.Alert, single.Digest = item, nil
		labels[i], annotations[i] = amLabels(item), amAnnotations(single.Content())
		alerts[i] = object{
			"status": "firing", "labels": labels[i], "annotations": annotations[i], "startsAt": item.EventTime.UTC(),
			"endsAt": time.Time{}, "generatorURL": "", "fingerprint": fingerprint(labels[i]),
		}
		if !m.Since.IsZero() && m.Digest == nil {
			alerts[i]["startsAt"] = m.Since.UTC()
		}
		if item.State == alert.Resolved {
			alerts[i]["status"], alerts[i]["endsAt"] = "resolved", item.EventTime.UTC()
		} else {
			status = "firing"
		}
	}
	return object{
		"version": "4", "groupKey": fmt.Sprintf("{}:{%s}", labelText(group)), "truncatedAlerts": truncated, "status": status, "receiver": "notifier",
		"groupLabels": group, "commonLabels": common(labels), "commonAnnotations": common(annotations), "externalURL": m.Content().Runbook, "alerts": alerts,
	}
}

// amLabels identify an alert: those of one rule, severity and alert key have the same.
func amLabels(a alert.Alert) map[string]string {
	labels := map[string]string{"alertname": orDash(alert.Visible(a.Rule)), "severity": alert.Visible(string(a.Severity))}
	if len(a.Key) > 0 {
		labels["key"] = alert.Visible(a.KeyText())
	}
	if a.Topic != "" {
		labels["topic"] = alert.Visible(a.Topic)
	}
	return labels
}

func amAnnotations(c channel.Content) map[string]string {
	annotations := map[string]string{"summary": c.Title.String()}
	var text []string
	for _, line := range c.Lines {
		text = append(text, line.String())
	}
	if len(text) > 0 {
		annotations["description"] = strings.Join(text, "\n")
	}
	if len(c.Notes) > 0 {
		annotations["notes"] = strings.Join(c.Notes, ", ")
	}
	if c.Runbook != "" {
		annotations["runbook_url"] = c.Runbook
	}
	for _, f := range c.Fields { // a name that is taken gets a number
		name := labelName(f.Label)
		for n := 2; annotations[name] != ""; n++ {
			name = fmt.Sprintf("%s_%d", labelName(f.Label), n)
		}
		annotations[name] = f.Value.String()
	}
	return annotations
}

// labelName returns a label of a field as a name: [a-zA-Z_][a-zA-Z0-9_]*.
func labelName(label string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, label)
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name
}

// labelText returns labels as Alertmanager writes them: a="b", c="d".
func labelText(labels map[string]string) string {
	pairs := make([]string, 0, len(labels))
	for name, value := range labels {
		pairs = append(pairs, fmt.Sprintf("%s=%q", name, value))
	}
	sort.Strings(pairs)
	return strings.Join(pairs, ", ")
}

func fingerprint(labels map[string]string) string {
	sum := sha256.Sum256([]byte(labelText(labels)))
	return hex.EncodeToString(sum[:8])
}

// common returns what all maps have.
func common(maps []map[string]string) map[string]string {
	out := make(map[string]string)
	for name, value := range maps[0] {
		out[name] = value
		for _, other := range maps[1:] {
			if other[name] != value {
				delete(out, name)
			}
		}
	}
	return out
}

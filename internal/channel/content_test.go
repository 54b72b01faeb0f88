package channel_test

import (
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/channeltest"
)

func TestContentShowsInvisibleCharacters(t *testing.T) {
	m := channeltest.Hostile()
	c := m.Content()
	texts := []string{c.Title.String(), c.Rule, c.Fields[0].Label, c.Fields[0].Value.String()}
	for _, line := range c.Lines {
		texts = append(texts, line.String())
	}
	m.Digest = &channel.Digest{Group: []string{channeltest.Invisible}, Groups: 1, Alerts: 2, Items: []alert.Alert{m.Alert}}
	d := m.Content()
	for _, text := range append(texts, d.Title.String(), d.Lines[0].String()) {
		channeltest.AssertEscaped(t, "the content", text)
	}
	if c.Runbook != "" {
		t.Errorf("the runbook is %q", c.Runbook)
	}
}

func TestEventCannotForgeLine(t *testing.T) {
	m := channeltest.Message()
	m.Alert.Text = alert.Text{{Text: "first: "}, {Text: "a\nforged", Value: true}, {Text: "\n\nsecond"}}
	lines := m.Content().Lines
	if len(lines) != 2 || lines[0].String() != "first: a⟨U+000A⟩forged" || lines[1].String() != "second" {
		t.Errorf("the lines are %q", lines)
	}
}

func TestDigestContentCountsAlerts(t *testing.T) {
	m := channeltest.GroupDigest()
	c := m.Content()
	if c.Title.String() != "order-rejected HALTED: 12 alerts since 14:31:05 UTC" || len(c.Lines) != 3 || c.More != 9 || len(c.Fields) != 0 || c.Rule != "order-rejected" || c.Runbook == "" {
		t.Errorf("%+v", c)
	}
	if got := c.Lines[1].String(); got != "14:31:35 warning Rejected: `AMD`" {
		t.Errorf("a row is %s", got)
	}
	m.Digest.Group, m.Digest.Groups, m.Digest.Items[1].Rule = nil, 4, "another"
	c = m.Content()
	if c.Title.String() != "4 groups: 12 alerts since 14:31:05 UTC" || c.Rule != "" || c.Runbook != "" {
		t.Errorf("%+v", c)
	}
}

func TestContentNotesDelayAndThrottle(t *testing.T) {
	m := channeltest.Message()
	m.Now = m.Alert.EventTime.Add(250 * time.Second)
	m.Suppressed, m.Replay, m.MayBeDuplicate, m.Test, m.Alert.Shortened = 14, 2, true, false, true
	m.SuppressedSince = m.Alert.EventTime
	m.Instead = &channel.Instead{Channel: "desk-slack", Cause: "suspended: invalid_auth"}
	if got := strings.Join(m.Content().Notes, ", "); got != "4 m 10 s late, +14 since 14:31 UTC, may be a duplicate, replay 2, instead of desk-slack (suspended: invalid_auth), shortened" {
		t.Error(got)
	}
}

func TestContentHasTimesInZone(t *testing.T) {
	m := channeltest.GroupDigest()
	m.Zone = time.FixedZone("EST", -5*3600)
	c := m.Content()
	if c.Title.String() != "order-rejected HALTED: 12 alerts since 09:31:05 EST" || c.Lines[1].String() != "09:31:35 warning Rejected: `AMD`" {
		t.Errorf("%s, %s", c.Title, c.Lines[1])
	}
	m.Digest, m.Suppressed, m.SuppressedSince = nil, 14, m.Alert.EventTime
	if got := m.Content().Footer(); got != "order-rejected · 23 Nov 09:31:05 EST · +14 since 09:31 EST" {
		t.Error(got)
	}
}

func TestDigestRowsMarkResolvedAlerts(t *testing.T) {
	m := channeltest.GroupDigest()
	m.Digest.Items[1].State = alert.Resolved
	if got := m.Content().Lines[1].String(); got != "14:31:35 resolved Rejected: `AMD`" {
		t.Error(got)
	}
	if got := m.Flat(time.UTC, 10, 1000).Alert.Text.String(); !strings.Contains(got, "14:31:35 resolved Rejected: `AMD`") {
		t.Error(got)
	}
}

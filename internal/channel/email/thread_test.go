package email

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/channeltest"
)

func TestResolvedMailJoinsThreadOfItsAlert(t *testing.T) {
	first := channeltest.Message()
	first.Alert.Group = []string{"HALTED"}
	before, _, _ := compose(t, first, time.UTC)

	resolved := channeltest.Resolved()
	resolved.Delivery, resolved.Alert.Group, resolved.Opened = "dl_resolved", []string{"OPEN"}, before.Get("Message-ID")
	reminder := channeltest.Reminder()
	reminder.Delivery, reminder.Alert.Group = "dl_reminder", []string{"HALTED"}
	for name, m := range map[string]channel.Message{"resolved": resolved, "reminder": reminder} {
		header, _, _ := compose(t, m, time.UTC)
		common := slices.ContainsFunc(strings.Fields(header.Get("References")), func(id string) bool {
			return slices.Contains(strings.Fields(before.Get("References")), id)
		})
		if !common || header.Get("Message-ID") == before.Get("Message-ID") {
			t.Errorf("%s: References are %s, before %s", name, header.Get("References"), before.Get("References"))
		}
	}
	after, _, _ := compose(t, resolved, time.UTC)
	if after.Get("In-Reply-To") != before.Get("Message-ID") || !strings.HasSuffix(after.Get("References"), " "+before.Get("Message-ID")) {
		t.Errorf("In-Reply-To is %s, References %s", after.Get("In-Reply-To"), after.Get("References"))
	}
}

func TestThreadIndexIsOnePerGroup(t *testing.T) {
	m := channeltest.Message()
	a, _, _ := compose(t, m, time.UTC)
	b, _, _ := compose(t, channeltest.Resolved(), time.UTC)
	m.Alert.Key = []string{"another"}
	c, _, _ := compose(t, m, time.UTC)
	if a.Get("Thread-Index") == "" || a.Get("Thread-Index") != b.Get("Thread-Index") || a.Get("Thread-Index") == c.Get("Thread-Index") {
		t.Errorf("%s, %s, %s", a.Get("Thread-Index"), b.Get("Thread-Index"), c.Get("Thread-Index"))
	}
	if a.Get("Thread-Topic") != "order-rejected ACC-1042/HALTED" {
		t.Errorf("Thread-Topic is %s", a.Get("Thread-Topic"))
	}
}

func TestForeignReceiptIsNotReferredTo(t *testing.T) {
	for _, id := range []string{"1.2", "<a@b>\r\nBcc: <x@example.com>", "<a b@c>", "<" + strings.Repeat("a", 300) + "@b>", "<ü@b>"} {
		m := channeltest.Message()
		m.Opened = id
		header, _, _ := compose(t, m, time.UTC)
		if got := header.Get("References"); strings.Contains(got, "@b") || header.Get("Bcc") != "" || strings.Count(got, "<") != 1 {
			t.Errorf("%q: %s", id, got)
		}
	}
}

func TestSubjectBeginsWithSeverityOrState(t *testing.T) {
	for want, m := range map[string]channel.Message{
		"Warning: Rejected: ": channeltest.Message(), "Resolved: Rejected: ": channeltest.Resolved(), "CRITICAL reminder: Rejected: ": channeltest.Reminder(),
	} {
		if got := subject(m); !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

package secret_test

import (
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/secret"
)

func TestRedactInputHidesCredentials(t *testing.T) {
	for _, credential := range []string{
		"xoxb-123456-abcdef", "xapp-1-A0-abcdef", "whsec_C2FVsBQIhrscChlQIMV", "hooks.slack.com/services/T00/B00/XXXXXXXX",
		"0123456789abcdef0123456789abcdef", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "dGhpcyBpcyBhIHNlY3JldCBrZXkhIQ1==", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
		"kafka://alice:hunter22@kafka:9092", "alice:hunter22@kafka:9092", "Bearer abcdefgh12345",
	} {
		for _, text := range []string{credential, `"` + credential + `" is not a duration`, "unknown key " + credential + ": take it out"} {
			got := secret.RedactInput(text)
			if strings.Contains(got, credential) || strings.Contains(got, "hunter22") || strings.Contains(got, "services/T00") || !strings.Contains(got, secret.Hidden) {
				t.Errorf("%s → %s", text, got)
			}
		}
	}
}

func TestRedactInputKeepsOrdinaryTexts(t *testing.T) {
	for _, text := range []string{
		`"localhost" has no port: use localhost:9092`, "cannot read secret: open /run/Secrets/Deploy-2024/notifier-token: no such file",
		"is not between 16 and 100000", "unknown key; known keys: notification-service.outbox.desk-slack-for-the-night", `"2026-11-23T09:30:00Z" is no time`,
		`event.event_type == "order.rejected" && event.quantity > 1000000000000000000000000000`, "https://hooks.example.com:8443/…",
		"desk@example.com is not an address (number 1)", "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "kafka-1.eu-central-1.example.com:9093",
	} {
		if got := secret.RedactInput(text); got != text {
			t.Errorf("%s → %s", text, got)
		}
	}
}

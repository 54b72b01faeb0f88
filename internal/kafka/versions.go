package kafka

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/algotrade/notifier/internal/secret"
)

// Oldest is the oldest supported version of Apache Kafka. docs/brokers.md says which
// versions are tested.
const Oldest = "2.8"

// required are the versions of requests that a broker must support, and what is
// lost without them.
var required = []struct {
	key     kmsg.Key
	version int16
	feature string
}{
	{kmsg.Produce, 3, "record headers (Kafka 0.11)"},
	{kmsg.InitProducerID, 0, "idempotent producers (Kafka 0.11)"},
	{kmsg.JoinGroup, 5, "static group membership (Kafka 2.3)"},
	{kmsg.Metadata, 10, "topic ids, by which recreated topics are recognised (Kafka 2.8)"},
}

// apiVersions returns a request for the versions that a broker supports.
func apiVersions() *kmsg.ApiVersionsRequest {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "notifier", "1"
	return req
}

// supported returns a *Problem if the broker that answers is too old.
func supported(ctx context.Context, cl *kgo.Client, c *Config) error {
	versions, err := apiVersions().RequestWith(ctx, cl)
	if err != nil {
		// The broker has answered before: it is restarting or overloaded.
		return problemf(ExitUnavailable, "%s: requesting the brokers' version failed: %s", strings.Join(c.Brokers, ", "), secret.Redact(err.Error(), c.SASL))
	}
	if text := tooOld(versions); text != "" {
		return problemf(ExitConfig, "%s: %s: upgrade the brokers", strings.Join(c.Brokers, ", "), text)
	}
	return nil
}

// tooOld says what a broker lacks; empty: nothing.
func tooOld(versions *kmsg.ApiVersionsResponse) string {
	var lacking []string
	for _, r := range required {
		if !slices.ContainsFunc(versions.ApiKeys, func(k kmsg.ApiVersionsResponseApiKey) bool {
			return k.ApiKey == r.key.Int16() && k.MaxVersion >= r.version
		}) {
			lacking = append(lacking, r.feature)
		}
	}
	if len(lacking) == 0 {
		return ""
	}
	return fmt.Sprintf("Kafka %s is not supported, the notifier needs %s or newer; it lacks %s", guess(versions), Oldest, strings.Join(lacking, ", "))
}

// guess returns the version of Kafka that supports the same requests.
func guess(versions *kmsg.ApiVersionsResponse) string {
	return kversion.FromApiVersionsResponse(versions).VersionGuess()
}

// released reports whether a guess is a release of Apache Kafka, or newer than all known.
// Another implementation supports the requests of no release.
func released(guess string) bool {
	return strings.HasPrefix(guess, "v") || strings.HasPrefix(guess, "at least")
}

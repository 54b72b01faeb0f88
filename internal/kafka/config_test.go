package kafka_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/yamldoc"
)

var slogDiscard = slog.New(slog.DiscardHandler)

func TestSizesAndStartsRoundTrip(t *testing.T) {
	for text, want := range map[string]yamldoc.Size{"64MiB": 64 << 20, "1000000": 1_000_000, "2 MB": 2_000_000} {
		var s yamldoc.Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%s is %d, %v", text, s, err)
		}
	}
	for text, want := range map[string]kafka.Start{
		"earliest": {}, "latest": {Latest: true}, "2026-11-23T09:30:00Z": {At: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)},
	} {
		var s kafka.Start
		if err := s.UnmarshalText([]byte(text)); err != nil || s.Latest != want.Latest || !s.At.Equal(want.At) {
			t.Errorf("%s is %+v, %v", text, s, err)
		}
		if back, err := s.MarshalText(); err != nil || string(back) != text {
			t.Errorf("%s reads back as %s", text, back)
		}
	}
	var s kafka.Start
	if err := s.UnmarshalText([]byte("now")); err == nil {
		t.Error("now is a place to start")
	}
}

func TestAddressValidation(t *testing.T) {
	for address, want := range map[string]string{
		"localhost:9092": "", "[::1]:9092": "", "kafka.example.com:1": "",
		"localhost":             `"localhost" has no port: use localhost:9092`,
		"kafka://localhost:1":   `"kafka://localhost:1" is not host:port: remove the part before ://`,
		"localhost:0":           `"localhost:0" is not host:port, such as kafka-1.example.com:9092`,
		":9092":                 `":9092" is not host:port, such as kafka-1.example.com:9092`,
		"localhost:90920000000": `"localhost:90920000000" is not host:port, such as kafka-1.example.com:9092`,
	} {
		err := kafka.CheckAddress(address)
		if got := ""; err != nil {
			if got = err.Error(); got != want {
				t.Errorf("%s: %s, want %s", address, got, want)
			}
		} else if want != "" {
			t.Errorf("%s is taken", address)
		}
	}
}

func TestSecuritySettingsAreValidated(t *testing.T) {
	for text, want := range map[string]string{
		`{tls: {ca: ca.pem}}`:                                         "f:1:12: tls.ca: is set while tls.enabled is false",
		`{tls: {enabled: true, ca: none.pem}}`:                        "f:1:27: tls.ca: cannot read /dir/none.pem: no such file or directory",
		`{tls: {enabled: true, cert: a.pem}}`:                         "f:1:7: tls: cert and key belong together",
		`{sasl: {username: a}}`:                                       "f:1:8: sasl.mechanism: is missing: use one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER",
		`{sasl: {mechanism: plain}}`:                                  `f:1:20: sasl.mechanism: "plain" is unknown: did you mean PLAIN?`,
		`{sasl: {mechanism: PLAIN, username: a}}`:                     "f:1:8: sasl.password: is missing",
		`{window: {unsettled: 3}}`:                                    "f:1:22: window.unsettled: 3 is not between 16 and 100000",
		`{brokers: []}`:                                               "f:1:11: brokers: must list at least one broker, such as [localhost:9092]",
		`{sasl: {mechanism: OAUTHBEARER, password: tk}}`:              "",
		`{sasl: {mechanism: OAUTHBEARER, username: a, password: tk}}`: "f:1:43: sasl.username: is not used with OAUTHBEARER, whose token names the user: remove it",
	} {
		c := kafka.Defaults()
		faults := yamldoc.Decode("f", "/dir", []byte(text), &c)
		if got := faults.Error(); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

package kafka_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
)

func TestUnsupportedBrokersAreRefused(t *testing.T) {
	t.Setenv(testkafka.Env, "") // kfake poses as older brokers
	for version, test := range map[string]struct {
		max  *kversion.Versions
		want string // empty: it is supported
	}{
		"0.10": {kversion.V0_10_2(), "is not supported, the notifier needs 2.8 or newer; it lacks record headers (Kafka 0.11), idempotent producers (Kafka 0.11), " +
			"static group membership (Kafka 2.3), topic ids, by which recreated topics are recognised (Kafka 2.8)"},
		"2.7": {kversion.V2_7_0(), "is not supported, the notifier needs 2.8 or newer; it lacks topic ids, by which recreated topics are recognised (Kafka 2.8)"},
		"2.8": {kversion.V2_8_0(), ""},
	} {
		t.Run(version, func(t *testing.T) {
			c := testkafka.Bare(t, kfake.MaxVersions(test.max))
			err := reach(t, c.Config())
			found := kafka.CheckBrokers(t.Context(), c.Config())
			last := found[len(found)-1]
			if test.want == "" {
				if err != nil || last.Status != check.OK {
					t.Errorf("%v, %+v", err, last)
				}
				return
			}
			// Which version kfake looks like is not its own: it answers fewer requests.
			var p *kafka.Problem
			if !errors.As(err, &p) || p.ExitCode() != kafka.ExitConfig || !strings.HasPrefix(p.Text, c.Brokers[0]+": Kafka ") || !strings.HasSuffix(p.Text, test.want+": upgrade the brokers") {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if last.Status != check.Failed || !strings.HasSuffix(last.Message, test.want) {
				t.Errorf("doctor: %+v", last)
			}
		})
	}
}

func TestOutboxOfSingleOwnerHasPartitionPerSeverity(t *testing.T) {
	checks := kafka.Checks{Config: &kafka.Config{Brokers: []string{"b:9092"}}, Command: "notifier"}
	shape := kafka.Shape{Topic: "g.outbox.chat", Role: kafka.RoleOutbox, SingleOwner: true}
	for _, c := range []struct {
		want, has       int
		message, remedy string
	}{
		{3, 3, "", ""},
		{
			3, 1, "has 1 partition, want 3, one for each severity: a critical alert waits behind the alerts written before it",
			"stop the daemons, add partitions, and start them: kafka-topics --bootstrap-server b:9092 --alter --topic g.outbox.chat --partitions 3",
		},
		{1, 1, "", ""},
		{1, 3, "", ""},
		{3, 6, "has 6 partitions, of which the first 3 are written, one for each severity", ""},
	} {
		shape.Partitions = int32(c.want)
		found := checks.Compare(shape, c.has, map[string]string{"cleanup.policy": "delete"})
		switch {
		case c.message == "" && len(found) == 0:
		case len(found) != 1 || found[0].Status != check.Warning || found[0].Message != c.message || found[0].Remedy != c.remedy:
			t.Errorf("%d partitions, want %d: %+v", c.has, c.want, found)
		}
	}
}

func TestOutboxesWithoutRecordHeadersAreRefused(t *testing.T) {
	checks := kafka.Checks{Config: testkafka.Bare(t).Config(), Command: "notifier"}
	for format, status := range map[string]check.Status{"0.10.2-IV0": check.Failed, "0.11.0-IV2": check.OK, "2.8-IV1": check.OK, "": check.OK} {
		for _, role := range []kafka.Role{kafka.RoleOutbox, kafka.RoleDeadLetter, kafka.RoleReplay, kafka.RoleDeliveries, kafka.RoleState, kafka.RoleSource} {
			configs := map[string]string{"cleanup.policy": "delete", "message.format.version": format}
			if role == kafka.RoleDeadLetter || role == kafka.RoleState {
				configs["cleanup.policy"] = "compact"
			}
			found := checks.Compare(kafka.Shape{Topic: "t", Role: role, Partitions: 1}, 1, configs)
			want := status
			if role == kafka.RoleSource { // an event needs no headers
				want = check.OK
			}
			switch {
			case want == check.OK && len(found) > 0:
				t.Errorf("role %v, %q: %+v", role, format, found)
			case want == check.Failed && (len(found) != 1 || found[0].Status != want || !strings.Contains(found[0].Message, "message.format.version is 0.10.2") || !strings.Contains(found[0].Remedy, "message.format.version=2.8")):
				t.Errorf("role %v, %q: %+v", role, format, found)
			}
		}
	}
}

func TestTopicsWithoutIDsAreReported(t *testing.T) {
	t.Setenv(testkafka.Env, "") // kfake poses as older brokers
	for _, test := range []struct {
		max  *kversion.Versions
		want bool
	}{{kversion.V2_7_0(), true}, {kversion.V2_8_0(), false}} {
		c := testkafka.Start(t, nil, kfake.MaxVersions(test.max))
		checks := kafka.Checks{Admin: c.Admin, Config: c.Config(), Want: c.Shapes(nil), Command: "notifier"}
		found, err := checks.Topics(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		reported := slices.ContainsFunc(found, func(r check.Result) bool {
			return r.Status == check.Warning && r.Subject == "topic ids" && strings.Contains(r.Remedy, "inter.broker.protocol.version")
		})
		if reported != test.want {
			t.Errorf("reported: %v, want %v: %+v", reported, test.want, found)
		}
	}
}

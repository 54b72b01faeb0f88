package outbox

import (
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/envelope"
)

func TestRecordKeyIsTheLane(t *testing.T) {
	a := &alert.Alert{Rule: "r", Key: []string{"acc", "code"}}
	e := &envelope.Envelope{Source: envelope.Source{Topic: "t", Key: []byte("session"), Value: []byte("{}")}, Alert: a, Delivery: "d", Channel: "c"}
	if r := Record(e, "o", 6); string(r.Key) != "session" {
		t.Fatalf("key %q", r.Key)
	}
	a.Throttle = time.Minute
	r := Record(e, "o", 6)
	if string(r.Key) != `["r","acc","code"]` {
		t.Fatalf("key %q", r.Key)
	}
	e.Source.Key, e.Source.Offset = []byte("other"), 99
	if again := Record(e, "o", 6); again.Partition != r.Partition {
		t.Fatal("one alert key, two partitions")
	}
	a.Throttle, a.Clears = 0, true
	if resolved := Record(e, "o", 6); string(resolved.Key) != string(r.Key) || resolved.Partition != r.Partition {
		t.Fatalf("an alert with an episode has the key %q", resolved.Key)
	}
	a.Clears, e.Source.Key = false, nil
	if r := Record(e, "o", 6); r.Key != nil {
		t.Fatalf("null became %q", r.Key)
	}
}

package replay_test

import (
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/control"
	"github.com/algotrade/notifier/internal/replay"
)

func TestResendRequestSurvivesItsRecord(t *testing.T) {
	want := replay.Resend{
		Alert: "al_6f2cxyz", Channel: "desk-mail", Outbox: "desk-slack", TopicID: "dG9waWMtaWQtb2YtMTZi", Partition: 3, Offset: 918273, By: "ann@desk", Comment: "they asked",
	}
	r := want.Record("g")
	got, err := replay.ParseResend(r)
	if err != nil || !reflect.DeepEqual(*got, want) || r.Topic != "g.replay" || r.Value != nil {
		t.Errorf("%v: %+v of %+v", err, got, r)
	}
	if _, err := replay.ParseRequest(r); err == nil {
		t.Error("it is a request to replay a dead letter as well")
	}
	if _, err := control.Parse(r); err == nil {
		t.Error("it is a request to move alerts as well")
	}
}

func TestForgedResendRequestsAreForeign(t *testing.T) {
	good := replay.Resend{Alert: "al_1", Channel: "desk", Outbox: "desk", Offset: 1}
	for what, change := range map[string]func(*replay.Resend){
		"no alert": func(s *replay.Resend) { s.Alert = "" }, "an impossible channel": func(s *replay.Resend) { s.Channel = "../x" },
		"an impossible outbox": func(s *replay.Resend) { s.Outbox = "a b" }, "a negative offset": func(s *replay.Resend) { s.Offset = -1 },
		"a negative partition": func(s *replay.Resend) { s.Partition = -1 },
	} {
		s := good
		change(&s)
		if got, err := replay.ParseResend(s.Record("g")); err == nil {
			t.Errorf("%s: %+v", what, got)
		}
	}
	good.By, good.Comment = "ann\x1b[31m", "why\nnot"
	got, err := replay.ParseResend(good.Record("g"))
	if err != nil || got.By != "ann [31m" || got.Comment == good.Comment {
		t.Errorf("%v: %+v", err, got)
	}
	if _, err := replay.ParseResend(&kgo.Record{Key: []byte("resend al_1")}); err == nil {
		t.Error("a record without headers is a request")
	}
}

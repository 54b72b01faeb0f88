package ingest

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kerr"
)

// A client says of a failure a moment after it; what is produced in it is sent.
func TestOvertakenAlertsAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := &brokers{logger: slog.New(slog.NewTextHandler(&log, nil)), answer: func(n int, _ string) error {
			if n < 2 {
				return errPending
			}
			return nil
		}}
		o := newOutput(t, b, "a", "b")
		b.pending[0](kerr.UnknownServerError)
		b.pending[1](nil)
		if !o.Settle(t.Context()) {
			t.Fatal("not settled")
		}
		if got := log.String(); !strings.Contains(got, "out of order") || !strings.Contains(got, "offset=0 until=1 delivery=dl_a") {
			t.Errorf("logged %s", got)
		}
	})
}

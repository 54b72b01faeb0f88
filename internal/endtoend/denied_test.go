//go:build synctests

package endtoend

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/topics"
)

type idle struct{}

// Handle implements consume.Handler.
func (idle) Handle(ctx context.Context, _ *consume.Partition) { <-ctx.Done() }

// TestLostRightsEndMemberAfterOneMinute: what comes back within a minute
// does not end it, what does not come back does.
func TestLostRightsEndMemberAfterOneMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		m := consume.New(consume.Params{
			Name: "ingest", Group: group, Topics: []string{string(topics.TradeExecutions)}, Cluster: w.cluster, Options: w.opts,
			SessionTimeout: 15 * time.Second, Window: consume.Window{Records: 256, Bytes: 8 << 20}, Drain: time.Second, Handler: idle{}, Logger: slog.New(slog.DiscardHandler),
		})
		ended := make(chan error, 1)
		go func() { ended <- m.Run(w.ctx) }()
		denied := func() *kfake.FaultHandle {
			return w.fake.Fault(kfake.Fault{
				Keys: []kmsg.Key{kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat}, Group: group, Err: kerr.GroupAuthorizationFailed, Count: -1,
			})
		}
		time.Sleep(10 * time.Second)
		passing := denied()
		time.Sleep(40 * time.Second)
		passing.Remove()
		time.Sleep(time.Minute)
		select {
		case err := <-ended:
			t.Fatalf("it ended although its rights came back: %v", err)
		default:
		}
		if !m.Status().Joined {
			t.Error("it has not joined again")
		}
		began := time.Now()
		denied()
		err := <-ended
		if !errors.Is(err, consume.ErrDenied) {
			t.Errorf("it ended with %v", err)
		}
		if took := time.Since(began); took < time.Minute || took > 2*time.Minute {
			t.Errorf("it ended after %s", took)
		}
	})
}

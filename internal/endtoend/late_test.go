//go:build synctests

package endtoend

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/topics"
)

// TestLateCommitIsOverwritten: a commit that was not answered in time may be carried
// out after the next one and set the group back. The owner cannot know, so it
// commits again later.
func TestLateCommitIsOverwritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		n := w.node()
		time.Sleep(5 * time.Second)
		source := string(topics.TradeExecutions)
		cl := w.client(kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		defer cl.Close()
		produce := func(key string) {
			r := &kgo.Record{Topic: source, Key: []byte(key), Value: fmt.Appendf(nil, `{"alert":true,"k":%q,"n":0}`, key)}
			if err := cl.ProduceSync(w.ctx, r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		slow := false
		w.fake.ControlKey(int16(kmsg.OffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
			w.fake.KeepControl()
			if slow || req.(*kmsg.OffsetCommitRequest).Group != group {
				return nil, nil, false
			}
			slow = true
			w.fake.SleepControl(func() { time.Sleep(6 * time.Second) })
			return nil, nil, false
		})
		produce("k0")
		time.Sleep(time.Second)
		produce("k1")
		time.Sleep(30 * time.Second)
		if at := w.fake.GroupInfo(group).Commits[source][0].Offset; !slow || at != 2 {
			t.Errorf("the group has committed %d of 2", at)
		}
		n.stop()
	})
}

// TestCommitRefusedTwiceIsRetried: the commit without metadata, which follows when
// the first was refused for its metadata, may be refused too.
func TestCommitRefusedTwiceIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		n := w.node()
		time.Sleep(5 * time.Second)
		source := string(topics.TradeExecutions)
		w.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: group, Err: kerr.OffsetMetadataTooLarge, Count: 6})
		cl := w.client(kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		defer cl.Close()
		if err := cl.ProduceSync(w.ctx, &kgo.Record{Topic: source, Value: []byte(`{"alert":false}`)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if at := w.fake.GroupInfo(group).Commits[source][0].Offset; at != 1 {
			t.Errorf("the group has committed %d of 1", at)
		}
		n.stop()
	})
}

//go:build synctests

package endtoend

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/topics"
)

var rebalances = flag.Int("rebalances", 1000, "how many rebalances of both groups are gone through")

// footprint is what a process must give back.
type footprint struct {
	goroutines, files int
	series            map[string]bool
	heap              uint64
}

func (f footprint) String() string {
	return fmt.Sprintf("%d goroutines, %d files, %d series, %d KiB", f.goroutines, f.files, len(f.series), f.heap>>10)
}

// TestRebalancesLeaveNothingBehind has another process join and leave five
// hundred times while alerts come, by turns with an identity of its own and
// without. What stays is as it was.
func TestRebalancesLeaveNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrial(t, map[string]int32{"calm": 4, "rough": 1}, map[string]mood{}, nil, 1)
		defer tr.close()
		resident := tr.start("resident")
		cl := tr.client("platform", kgo.ProducerLinger(0))
		defer cl.Close()

		produced := 0
		round := func(i int) {
			instance := ""
			if i%2 == 1 {
				instance = fmt.Sprint("host-", i%7)
			}
			guest := tr.start(instance)
			tr.shared(t, 2)
			tr.alert(t, cl, produced)
			produced++
			guest.leave()
			tr.shared(t, 1)
			if i%50 == 49 { // what brokers and the record of the trial keep is not ours
				tr.truncate()
			}
		}
		for i := range 20 {
			round(i)
		}
		before := tr.footprint(t, resident)
		for i := range *rebalances / 2 {
			round(i)
		}
		after := tr.footprint(t, resident)
		t.Logf("before: %s; after %d rebalances: %s", before, *rebalances, after)
		for name := range after.series {
			if !before.series[name] && !strings.HasPrefix(name, "kafka_") { // the client's come with each broker and topic first used
				t.Errorf("new series: %s", name)
			}
		}
		if after.goroutines > before.goroutines+5 || after.files > before.files || after.heap > before.heap+before.heap/4+4<<20 {
			t.Errorf("before: %s; after %d rebalances: %s", before, *rebalances, after)
		}
		for _, p := range tr.providers {
			for n, tries := range p.tries {
				if tries != 1 {
					t.Errorf("alert %d was sent %d times to %s", n, tries, p.name)
				}
			}
			if len(p.tries) != produced {
				t.Errorf("%d of %d alerts were sent to %s", len(p.tries), produced, p.name)
			}
		}
		tr.stop()
	})
}

// shared waits until so many processes have shared all partitions among them.
func (t *trial) shared(tt *testing.T, processes int) {
	tt.Helper()
	for range 4 * 120 {
		if t.isShared(group, processes) && t.isShared(topics.OutboxGroup(group), processes) {
			return
		}
		time.Sleep(250 * time.Millisecond)
	}
	tt.Fatalf("the groups did not settle on %d members: %+v", processes, t.fake.GroupInfo(group))
}

func (t *trial) isShared(g string, members int) bool {
	info := t.fake.GroupInfo(g)
	return info != nil && info.State == "Stable" && len(info.Members) == members && info.NumAssigned() == t.partitionsOf(g)
}

func (t *trial) partitionsOf(g string) int {
	names, n := append(t.sources(), topics.Replay(group)), 0
	if g != group {
		names = t.outboxTopics()
	}
	for _, topic := range names {
		n += len(t.fake.PartitionInfos(topic))
	}
	return n
}

// alert writes one alert for both channels.
func (t *trial) alert(tt *testing.T, cl *kgo.Client, n int) {
	e := &original{n: n, to: t.channels(), record: &kgo.Record{
		Topic: string(topics.TradeExecutions), Key: fmt.Append(nil, "key-", n%9), Value: fmt.Appendf(nil, `{"alert":"both","n":%d}`, n),
	}}
	for _, p := range t.providers {
		p.mu.Lock()
		p.events = append(p.events, e)
		p.mu.Unlock()
	}
	if err := cl.ProduceSync(t.ctx, e.record).FirstErr(); err != nil {
		tt.Fatal(err)
	}
}

// truncate drops what has been read of every topic, and the history.
func (t *trial) truncate() {
	for g, names := range map[string][]string{group: t.sources(), topics.OutboxGroup(group): t.outboxTopics()} {
		for _, topic := range names {
			for id, c := range t.fake.GroupInfo(g).Commits[topic] {
				_ = t.fake.DeleteRecords(topic, id, c.Offset)
			}
		}
	}
	t.history.mu.Lock()
	t.history.steps = nil
	t.history.mu.Unlock()
	t.mu.Lock()
	t.all = append([]*process(nil), t.living...)
	t.mu.Unlock()
}

// footprint measures while only the one process is there.
func (t *trial) footprint(tt *testing.T, n *process) footprint {
	time.Sleep(time.Minute)
	synctest.Wait()
	t.truncate()
	for range 3 {
		runtime.GC()
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	f := footprint{goroutines: runtime.NumGoroutine(), series: make(map[string]bool), heap: mem.HeapAlloc}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil { // where the system has it
		f.files = len(open)
	}
	families, err := n.registry.Gather()
	if err != nil {
		tt.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.Metric {
			f.series[fmt.Sprint(family.GetName(), m.GetLabel())] = true
		}
	}
	return f
}

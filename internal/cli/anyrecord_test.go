package cli

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

var (
	recordCases = flag.Int("records", 60, "how many hostile records are drawn")
	recordSeed  = flag.Uint64("records-seed", 1, "the seed they are drawn from")
)

const (
	// daemonMemory is what the daemon may have resident at most.
	daemonMemory = 256 << 20
	// patience is how long the alert behind a record may take before the test
	// gives up. How long it took is logged; make hostile bounds it in real time.
	patience = 20 * time.Second
)

// hostileRecord is one record, told by what it is made of, so that a smaller
// one of its kind can be tried.
type hostileRecord struct {
	kind string
	size int // of what is large in it, in bytes
	pack string
	// codec of its batch, and how many batches like it become readable at once.
	codec  string
	copies int
}

func (h hostileRecord) String() string {
	return fmt.Sprintf("%d × %s of %d bytes, packed %q, in a batch packed %q", h.copies, h.kind, h.size, h.pack, h.codec)
}

// hostileKinds make the value, and what else they change of a record, from a
// size. The values raise an alert for hook, where they are events.
var hostileKinds = map[string]func(r *kgo.Record, size int) string{
	"id": func(_ *kgo.Record, n int) string { return hostileEvent(`"event_id":"` + strings.Repeat("i", n) + `"`) },
	"type": func(_ *kgo.Record, n int) string {
		return hostileEvent(`"event_type":"` + strings.Repeat("t", n) + `"`)
	},
	"title":     func(_ *kgo.Record, n int) string { return hostileEvent(`"n":"` + strings.Repeat("<", n) + `"`) },
	"alert-key": func(_ *kgo.Record, n int) string { return hostileEvent(`"k":"` + strings.Repeat("k", n) + `"`) },
	"escapes":   func(_ *kgo.Record, n int) string { return hostileEvent(`"n":"` + strings.Repeat(`\u001b`, n/6) + `"`) },
	"invisible": func(_ *kgo.Record, n int) string { return hostileEvent(`"n":"` + strings.Repeat("\u202e", n/3) + `"`) },
	"number":    func(_ *kgo.Record, n int) string { return hostileEvent(`"n":1` + strings.Repeat("0", n)) },
	"fraction":  func(_ *kgo.Record, n int) string { return hostileEvent(`"n":0.` + strings.Repeat("9", n+1)) },
	"unread":    func(_ *kgo.Record, n int) string { return hostileEvent(`"pad":"` + strings.Repeat("p", n) + `"`) },
	"spaces":    func(_ *kgo.Record, n int) string { return hostileEvent(`"n":1` + strings.Repeat(" ", n)) },
	"zeros": func(_ *kgo.Record, n int) string {
		return hostileEvent(`"positions":[0` + strings.Repeat(",0", n/2) + `]`)
	},
	"objects": func(_ *kgo.Record, n int) string {
		return hostileEvent(`"positions":[{}` + strings.Repeat(",{}", n/3) + `]`)
	},
	"weights": func(_ *kgo.Record, n int) string {
		return hostileEvent(`"positions":[{}` + strings.Repeat(`,{"weight":0}`, n/13) + `]`)
	},
	"members": func(_ *kgo.Record, n int) string { return hostileEvent(`"":0` + strings.Repeat(`,"":0`, n/5)) },
	"product": func(_ *kgo.Record, n int) string {
		return hostileEvent(`"a":[{}` + strings.Repeat(`,{"x":1}`, n/16) + `],"b":[0` + strings.Repeat(`,"zzz"`, n/16) + `]`)
	},
	"joined": func(_ *kgo.Record, n int) string { return hostileEvent(`"n":["x"` + strings.Repeat(`,"x"`, n/4) + `]`) },
	"deep":   func(_ *kgo.Record, n int) string { return strings.Repeat("[", n) },
	"text":   func(_ *kgo.Record, n int) string { return strings.Repeat("x", n) },
	"tombstone": func(r *kgo.Record, n int) string {
		r.Key = bytes.Repeat([]byte("k"), min(n, 900_000))
		return ""
	},
	"record-key": func(r *kgo.Record, n int) string {
		r.Key = bytes.Repeat([]byte("k"), min(n, 900_000))
		return hostileEvent(`"n":1`)
	},
	"header": func(r *kgo.Record, n int) string {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: "h", Value: bytes.Repeat([]byte("v"), min(n, 900_000))})
		return hostileEvent(`"n":1`)
	},
	"headers": func(r *kgo.Record, n int) string {
		for i := range min(n/10, 20_000) {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: fmt.Sprint("h", i), Value: []byte("value")})
		}
		return hostileEvent(`"n":1`)
	},
	"header-name": func(r *kgo.Record, n int) string {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: strings.Repeat("n", min(n, 900_000))}, kgo.RecordHeader{Key: "notifier.version", Value: []byte("\x1b[2J")})
		return hostileEvent(`"n":1`)
	},
	"cloudevent": func(r *kgo.Record, n int) string {
		for _, name := range []string{"ce_id", "ce_source", "ce_type", "ce_specversion"} {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: bytes.Repeat([]byte("c"), min(n/4, 200_000)+1)})
		}
		return hostileEvent(`"n":1`)
	},
}

func hostileEvent(members string) string { return `{"hostile":true,` + members + `}` }

const recordRules = `
version: 1
rules:
  - {name: behind, topic: [trade-executions], when: event.alert == true, severity: critical, to: [behind], title: "{{ event.n }}"}
  - {name: hostile, topic: [trade-executions], when: event.hostile == true, key: [event.k], to: [hook], title: "{{ event.n }}", text: "{{ event.event_type }}", fields: [event.event_id]}
  - {name: weights, topic: [trade-executions], when: 'any(event.positions, .weight > 0.5)', to: [hook], title: weights}
  - {name: product, topic: [trade-executions], when: 'any(event.a, .x in event.b)', to: [hook], title: product}
`

// draw draws a record: any kind, a size up to 16 MiB of which small and large
// ones are equally likely, any packing.
func draw(random *rand.Rand) hostileRecord {
	kinds := make([]string, 0, len(hostileKinds))
	for k := range hostileKinds {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	one := func(list ...string) string { return list[random.IntN(len(list))] }
	h := hostileRecord{kind: one(kinds...), size: 1 << random.IntN(25), pack: one("", "", "gzip", "zstd"), codec: one("none", "gzip", "snappy", "lz4", "zstd"), copies: 1}
	h.size += random.IntN(h.size)
	if random.IntN(4) == 0 {
		h.copies = 1 + random.IntN(80)
	}
	return h
}

func (h hostileRecord) records() []*kgo.Record {
	list := make([]*kgo.Record, h.copies)
	r := &kgo.Record{Topic: string(topics.TradeExecutions)}
	value := []byte(hostileKinds[h.kind](r, h.size))
	switch {
	case h.kind == "tombstone":
		value = nil
	case h.pack == "gzip":
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(value)
		_ = z.Close()
		value = b.Bytes()
	case h.pack == "zstd":
		if z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1)); err == nil {
			value = z.EncodeAll(value, nil)
		}
	}
	for i := range list {
		list[i] = &kgo.Record{Topic: r.Topic, Key: r.Key, Headers: r.Headers, Value: value}
	}
	return list
}

// besieged is a daemon in a process of its own with what it needs.
type besieged struct {
	t       *testing.T
	cluster *testkafka.Cluster
	titles  chan string // of the alerts behind hostile records, as they arrive
	process *process
	pid     int
	ended   chan struct{}
	sent    int // alerts behind hostile records
}

func besiege(t *testing.T) *besieged {
	t.Helper()
	t.Setenv("GOMEMLIMIT", strconv.Itoa(daemonMemory/10*9))
	b := &besieged{
		t: t, cluster: testkafka.Start(t, append(one("behind", 1), one("hook", 1)...)), ended: make(chan struct{}), titles: make(chan string, 1000),
	}
	behind := webhooktest.Start(t, "", func(int, webhooktest.Request) webhooktest.Answer {
		return webhooktest.Answer{ByBody: func(body []byte) webhooktest.Answer {
			b.titles <- webhooktest.Request{Body: body}.Title()
			return webhooktest.Answer{}
		}}
	})
	sink := webhooktest.Start(t, "", nil)
	channels := fmt.Sprintf("  behind: {webhook: {url: %q}, partitions: 1}\n  hook: {webhook: {url: %q}, partitions: 1}\n", behind.URL, sink.URL)
	dir := files(t, b.cluster, channels, recordRules)
	b.process = spawn(t, "run", "-c", filepath.Join(dir, "notifier.yaml"))
	b.pid = b.process.Process.Pid
	go func() {
		_ = b.process.Wait()
		close(b.ended)
	}()
	t.Cleanup(func() {
		_ = b.process.Process.Kill()
		<-b.ended // before another waits for the process, which only one may do at a time
	})
	b.process.err.Wait(t, 30*time.Second, `"msg":"running"`)
	return b
}

// survives reports why a record is too much: the alert behind it did not arrive or
// its partition does not move on, the process ended, or its memory rose too
// high; "": it is not. A record that
// the broker refuses is none.
func (b *besieged) survives(h hostileRecord, within time.Duration) (took time.Duration, peak int64, fault string) {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", b.pid), []byte("5"), 0) // begins the high-water mark again, proc_pid_clear_refs(5)
	if _, err := b.produce(h.codec, h.records()...); errors.Is(err, kerr.MessageTooLarge) {
		return 0, 0, ""
	} else if err != nil {
		b.t.Fatal(err)
	}
	b.sent++
	began := time.Now()
	at, err := b.produce("none", &kgo.Record{Topic: string(topics.TradeExecutions), Value: fmt.Appendf(nil, `{"alert":true,"n":%d}`, b.sent)})
	if err != nil {
		b.t.Fatal(err)
	}
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for arrived, committed := false, false; !(arrived && committed) && fault == ""; {
		select {
		case title := <-b.titles:
			if arrived = title == strconv.Itoa(b.sent); arrived {
				took = time.Since(began)
			}
		case <-look.C:
			o, ok := b.cluster.Committed(b.cluster.Group).Lookup(string(topics.TradeExecutions), 0)
			committed = ok && o.At > at
		case <-deadline.C:
			fault = fmt.Sprintf("within %s the alert behind it arrived: %t, is committed: %t", within, arrived, committed)
		case <-b.ended:
			fault = fmt.Sprintf("the daemon ended: %s", b.process.ProcessState)
		}
	}
	peak = resident(b.pid)
	if fault == "" && peak > daemonMemory {
		fault = fmt.Sprintf("%d MiB resident", peak>>20)
	}
	return took, peak, fault
}

// produce writes records into partition 0, each in a batch of its own, and
// makes them readable at once.
func (b *besieged) produce(codec string, records ...*kgo.Record) (last int64, err error) {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	opts := append(b.cluster.Options(), kgo.ProducerBatchCompression(codecs[codec]), kgo.ProducerBatchMaxBytes(40<<20), kgo.ProducerLinger(0), kgo.TransactionalID("hostile"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	if err := cl.BeginTransaction(); err != nil {
		return 0, err
	}
	for _, r := range records {
		r, err := cl.ProduceSync(ctx, r).First()
		if err != nil {
			_ = cl.EndTransaction(ctx, kgo.TryAbort)
			return 0, err
		}
		last = r.Offset
	}
	return last, cl.EndTransaction(ctx, kgo.TryCommit)
}

// resident returns the highest resident memory of a process since it was last
// cleared, in bytes; 0 where the system does not say.
func resident(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmHWM:" {
			n, _ := strconv.ParseInt(fields[1], 10, 64)
			return n << 10
		}
	}
	return 0
}

// tooMuch reports why a record is too much for a daemon that has just started;
// "": it is not.
func tooMuch(t *testing.T, h hostileRecord) (fault string) {
	t.Run("again", func(t *testing.T) { _, _, fault = besiege(t).survives(h, patience/4) })
	return fault
}

// smallest halves what a record is made of for as long as it is too much, and
// says what the smallest is.
func smallest(t *testing.T, h hostileRecord) string {
	why := tooMuch(t, h)
	if why == "" {
		return "alone it does no harm: what came before it matters"
	}
	for {
		less := h
		if less.copies > 1 {
			less.copies /= 2
		} else {
			less.size /= 2
		}
		fault := ""
		if less.size > 0 {
			fault = tooMuch(t, less)
		}
		if fault == "" {
			return fmt.Sprintf("the smallest of its kind: %s: %s", h, why)
		}
		h, why = less, fault
	}
}

// complaints returns the last lines of a log that are above info.
func complaints(log string) string {
	var list []string
	for line := range strings.Lines(log) {
		if !strings.Contains(line, `"level":"INFO"`) && !strings.Contains(line, `"msg":"configuration"`) {
			list = append(list, line)
		}
	}
	return strings.Join(list[max(0, len(list)-5):], "")
}

// TestAlertArrivesBehindAnyRecord: whatever one record holds, the alert behind
// it in the same partition arrives, nothing restarts, and the daemon stays
// within 256 MiB.
func TestAlertArrivesBehindAnyRecord(t *testing.T) {
	random := rand.New(rand.NewPCG(*recordSeed, 0))
	b := besiege(t)
	slowest, highest := time.Duration(0), int64(0)
	for i := range *recordCases {
		h := draw(random)
		took, peak, fault := b.survives(h, patience)
		slowest, highest = max(slowest, took), max(highest, peak)
		t.Logf("%3d  %6.3f s  %4d MiB  %s", i, took.Seconds(), peak>>20, h)
		if fault == "" {
			continue
		}
		t.Logf("the log: %s", complaints(b.process.err.String()))
		t.Fatalf("-records-seed %d, record %d: %s: %s; %s", *recordSeed, i, h, fault, smallest(t, h))
	}
	t.Logf("slowest %.3f s, highest %d MiB", slowest.Seconds(), highest>>20)
}

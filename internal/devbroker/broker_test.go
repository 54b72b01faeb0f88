package devbroker

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func start(t *testing.T, dir string) *Broker {
	t.Helper()
	b, err := Start(t.Context(), Config{Addr: "127.0.0.1:0", DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func create(t *testing.T, b *Broker, topics ...Topic) []string {
	t.Helper()
	created, err := b.CreateTopics(topics...)
	if err != nil {
		t.Fatal(err)
	}
	return created
}

func client(t *testing.T, b *Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(b.Addr()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func produce(t *testing.T, cl *kgo.Client, topic string, values ...string) {
	t.Helper()
	for _, v := range values {
		r := &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte(v)}
		if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// consume polls until it has n records.
func consume(t *testing.T, cl *kgo.Client, n int) (values []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for len(values) < n {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("%v, with %q so far", err, values)
		}
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return values
}

func TestRecordsAndCommitsSurviveRestart(t *testing.T) {
	dir := t.TempDir()
	group := []kgo.Opt{kgo.ConsumerGroup("g"), kgo.ConsumeTopics("trades"), kgo.DisableAutoCommit()}

	b := start(t, dir)
	create(t, b, Topic{Name: "trades", Partitions: 1})
	cl := client(t, b, group...)
	produce(t, cl, "trades", "one", "two")
	consume(t, cl, 2)
	if err := cl.CommitUncommittedOffsets(t.Context()); err != nil {
		t.Fatal(err)
	}
	produce(t, cl, "trades", "three")
	cl.Close()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}

	b = start(t, dir)
	if got := consume(t, client(t, b, group...), 1); got[0] != "three" {
		t.Errorf("the group continues with %q, want three", got)
	}
}

func TestMissingTopicsAreCreatedAtStart(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir)
	create(t, b, Topic{Name: "old", Partitions: 3})
	_ = b.Close()

	b = start(t, dir)
	created := create(t, b, Topic{Name: "old", Partitions: 1}, Topic{Name: "new", Partitions: 2})
	if len(created) != 1 || created[0] != "new" {
		t.Errorf("created %q, want new alone", created)
	}
	listed, err := kadm.NewClient(client(t, b)).ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(listed["old"].Partitions); n != 3 {
		t.Errorf("the topic that was there has %d partitions, want its 3", n)
	}
	if n := len(listed["new"].Partitions); n != 2 {
		t.Errorf("the new topic has %d partitions, want 2", n)
	}
}

func TestDirectoryIsLocked(t *testing.T) {
	dir := t.TempDir()
	first := start(t, dir)
	var inUse *DirInUse
	if _, err := Start(t.Context(), Config{Addr: "127.0.0.1:0", DataDir: dir}); !errors.As(err, &inUse) {
		t.Fatalf("a second broker on the directory: %v, want it refused", err)
	}
	if !strings.Contains(inUse.Error(), dir) {
		t.Errorf("%q does not name the directory", inUse)
	}
	_ = first.Close()
	start(t, dir)
}

func TestPortInUseSuggestsAnother(t *testing.T) {
	b := start(t, "")
	_, err := Start(t.Context(), Config{Addr: b.Addr()})
	var taken *PortTaken
	if !errors.As(err, &taken) {
		t.Fatalf("got %v, want PortTaken", err)
	}
	if _, port, _ := net.SplitHostPort(b.Addr()); port != strconv.Itoa(taken.Port) {
		t.Errorf("names port %d, want %s", taken.Port, port)
	}
	e := &PortTaken{Port: 9092}
	if got := e.Error() + ": notifier dev --kafka " + e.Alternative(); got != "port 9092 is already in use, possibly by another Kafka: notifier dev --kafka 127.0.0.1:19092" {
		t.Errorf("got %q", got)
	}
	if got := (&PortTaken{Port: 60000}).Alternative(); got != "127.0.0.1:50000" {
		t.Errorf("for a high port it proposes %s", got)
	}
}

func TestOnlyLoopbackAddressesAreAllowed(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", "192.0.2.1:9092", ":9092", "example.com:9092", "9092", "localhost:kafka", "localhost:99999"} {
		if b, err := Start(t.Context(), Config{Addr: addr}); err == nil {
			t.Errorf("%s is served", addr)
			_ = b.Close()
		} else if addr == "localhost:99999" && !strings.Contains(err.Error(), "has no port between 0 and 65535") {
			t.Error(err)
		}
	}
	b, err := Start(t.Context(), Config{Addr: "localhost:0"})
	if err != nil {
		t.Fatal(err)
	}
	_ = b.Close()
}

func TestDamagedDataIsReported(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir)
	create(t, b, Topic{Name: "trades", Partitions: 1})
	_ = b.Close()
	if err := os.WriteFile(filepath.Join(dir, "topics.json"), []byte(`{"version":1,"topi`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), Config{Addr: "127.0.0.1:0", DataDir: dir})
	var damaged *Damaged
	if !errors.As(err, &damaged) {
		t.Fatalf("got %v, want Damaged", err)
	}
	if want := "move the directory and start again: mv " + dir + " " + dir + ".damaged"; !strings.Contains(err.Error(), want) {
		t.Errorf("%q does not say %q", err, want)
	}

	// The failed start has let go of the directory.
	if err := os.Remove(filepath.Join(dir, "topics.json")); err != nil {
		t.Fatal(err)
	}
	start(t, dir)
}

func TestCloseRemovesOnlyTemporaryDirectory(t *testing.T) {
	kept := t.TempDir()
	for dir, gone := range map[string]bool{"": true, kept: false} {
		b := start(t, dir)
		for range 2 { // the second time does nothing
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := os.Stat(b.Dir()); os.IsNotExist(err) != gone {
			t.Errorf("directory %q: removed is %v, want %v", dir, !gone, gone)
		}
		if _, err := b.CreateTopics(Topic{Name: "late", Partitions: 1}); err == nil {
			t.Error("a closed broker creates topics")
		}
	}
}

func TestCloseDoesNotWaitForClients(t *testing.T) {
	b := start(t, "")
	create(t, b, Topic{Name: "trades", Partitions: 1})
	cl := client(t, b, kgo.ConsumeTopics("trades"))
	produce(t, cl, "trades", "one")
	consume(t, cl, 1)
	if err := b.Close(); err != nil { // its fetch is still waiting
		t.Fatal(err)
	}
}

func TestRetentionRunsAfterRestartExceptOnCompactedTopics(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir)
	create(t, b,
		Topic{Name: "small", Partitions: 1, Configs: map[string]string{"retention.bytes": "2000"}},
		Topic{Name: "kept", Partitions: 1, Configs: map[string]string{"cleanup.policy": "compact", "retention.bytes": "2000", "retention.ms": "1"}},
	)
	cl := client(t, b, kgo.ProducerBatchCompression(kgo.NoCompression()))
	for range 5 {
		produce(t, cl, "small", strings.Repeat("x", 1000))
		produce(t, cl, "kept", strings.Repeat("x", 1000))
	}
	cl.Close()
	_ = b.Close()

	b = start(t, dir)
	tick := make(chan time.Time)
	go b.housekeep(tick, nil)
	tick <- time.Time{}
	tick <- time.Time{} // taken only when the first is done
	starts, err := kadm.NewClient(client(t, b)).ListStartOffsets(t.Context(), "small", "kept")
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := starts.Lookup("small", 0); got.Offset < 3 {
		t.Errorf("the bounded topic starts at offset %d, want 3 or later", got.Offset)
	}
	if got, _ := starts.Lookup("kept", 0); got.Offset != 0 {
		t.Errorf("the compacted topic starts at offset %d, want 0", got.Offset)
	}
}

func TestTopicSizeIsBoundedByDefault(t *testing.T) {
	b := start(t, "")
	create(t, b, Topic{Name: "plain", Partitions: 4}, Topic{Name: "own", Partitions: 1, Configs: map[string]string{"retention.bytes": "12345"}})
	configs, err := kadm.NewClient(client(t, b)).DescribeTopicConfigs(t.Context(), "plain", "own")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"plain": strconv.Itoa(8 << 20), "own": "12345"}
	for _, c := range configs {
		for _, kv := range c.Configs {
			if kv.Key == "retention.bytes" && kv.MaybeValue() != want[c.Name] {
				t.Errorf("%s keeps %s bytes a partition, want %s", c.Name, kv.MaybeValue(), want[c.Name])
			}
		}
	}
}

func TestEachNewDirectoryHasOwnClusterID(t *testing.T) {
	id := func(b *Broker) string {
		meta, err := kadm.NewClient(client(t, b)).BrokerMetadata(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return meta.Cluster
	}
	dir := t.TempDir()
	first := start(t, dir)
	was, other := id(first), id(start(t, ""))
	if was == other || len(was) != 22 {
		t.Errorf("cluster ids %q and %q", was, other)
	}
	_ = first.Close()
	if again := id(start(t, dir)); again != was {
		t.Errorf("after a restart the cluster is %q, was %q", again, was)
	}
}

// TestDataDirectoryIsPrivate: what is produced may be confidential.
func TestDataDirectoryIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	b := start(t, dir)
	defer func() { _ = b.Close() }()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if info, err := os.Stat(d); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", d, info.Mode(), err)
		}
	}
}

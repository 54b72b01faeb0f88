//go:build synctests

package endtoend

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/algotrade/notifier/internal/topics"
)

// registry is a schema registry over HTTP, on the network of the brokers.
type registry struct {
	*srfake.Registry
	world   *world
	server  *http.Server
	state   atomic.Pointer[string] // how it behaves
	answers atomic.Int32
}

const event2 = `{"type":"record","name":"Event","fields":[{"name":"alert","type":"boolean"},{"name":"k","type":"string"},{"name":"n","type":"long"}]}`

// newRegistry starts a registry with the schemas 1 and 2.
func newRegistry(t *testing.T, w *world) *registry {
	t.Helper()
	r := &registry{Registry: srfake.NewRegistry(), world: w}
	for id := 1; id <= 2; id++ {
		r.SeedSchema(fmt.Sprintf("s%d", id), 1, id, sr.Schema{Schema: strings.Replace(event2, "Event", fmt.Sprintf("Event%d", id), 1), Type: sr.TypeAvro})
	}
	listener, err := w.net.Listen("tcp", "localhost:8081")
	if err != nil {
		t.Fatal(err)
	}
	r.behave("works")
	r.server = &http.Server{Handler: r, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	go func() { _ = r.server.Serve(listener) }()
	w.schemas = &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return w.net.DialContext(ctx, network, "localhost:8081")
	}}
	return r
}

func (r *registry) behave(how string) { r.state.Store(&how) }

// ServeHTTP implements http.Handler.
func (r *registry) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	switch *r.state.Load() {
	case "works":
		r.answers.Add(1)
		r.Handler().ServeHTTP(w, q)
	case "fails":
		w.WriteHeader(http.StatusServiceUnavailable)
	case "hangs":
		<-q.Context().Done()
	case "refuses":
		w.WriteHeader(http.StatusUnauthorized)
	case "breaks off":
		panic(http.ErrAbortHandler)
	}
}

func (r *registry) close() {
	r.world.schemas.(*http.Transport).CloseIdleConnections()
	_ = r.server.Close()
}

// avro is an alert in Avro with schema id.
func avro(id int, key string, n int64) []byte {
	b := binary.BigEndian.AppendUint32([]byte{0}, uint32(id))
	b = append(binary.AppendVarint(append(b, 1), int64(len(key))), key...)
	return binary.AppendVarint(b, n)
}

// delivered returns how many alerts of a key have arrived, each once.
func (w *world) deliveredOf(key string) (n int) {
	w.sink.mu.Lock()
	defer w.sink.mu.Unlock()
	for title, times := range w.sink.delivered {
		if times > 1 {
			w.t.Errorf("%s was delivered %d times", title, times)
		}
		if strings.HasPrefix(title, key+"/") {
			n++
		}
	}
	return n
}

func (w *world) deadLetters() int64 {
	cl := w.client()
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListEndOffsets(w.ctx, topics.DeadLetter(group, topics.TradeExecutions))
	if err != nil {
		w.t.Fatal(err)
	}
	var n int64
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	return n
}

// component returns the cause of a component of /readyz; empty: it is all right.
func (n *node) component(name string) string {
	for _, c := range n.ready() {
		if c.Name == name {
			return c.Cause
		}
	}
	return "no component " + name
}

// TestRegistryOutageDelaysOnlyItsPartitions has the schema registry fail in every way while
// one partition needs a schema of it and another does not.
func TestRegistryOutageDelaysOnlyItsPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.sink.takes = 10 * time.Millisecond
		r := newRegistry(t, w)
		defer r.close()
		r.behave("fails")
		first := w.node()
		cl := w.client(kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		defer cl.Close()
		send := func(partition int32, value []byte) {
			if err := cl.ProduceSync(w.ctx, &kgo.Record{Topic: string(topics.TradeExecutions), Partition: partition, Key: fmt.Append(nil, "k", partition), Value: value}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		text := func(key string, n int64) []byte { return fmt.Appendf(nil, `{"alert":true,"k":%q,"n":%d}`, key, n) }
		for n := range int64(40) {
			send(1, text("k1", n))
			switch {
			case n < 5:
				send(0, text("k0", n))
			case n%3 == 0:
				send(0, avro(2, "k0", n))
			default:
				send(0, avro(1, "k0", n))
			}
		}
		for _, how := range []string{"fails", "hangs", "refuses", "breaks off"} {
			r.behave(how)
			time.Sleep(30 * time.Second)
			if n := w.deliveredOf("k1"); n != 40 {
				t.Errorf("the registry %s: %d of 40 alerts of the other partition", how, n)
			}
			if n := w.deliveredOf("k0"); n != 5 {
				t.Errorf("the registry %s: %d alerts before the first that needs a schema, want 5", how, n)
			}
			want := map[string]string{"fails": "answered 503", "hangs": "did not answer within 5s", "refuses": "refuses the login (401)", "breaks off": "registry:8081"}[how]
			if text := first.component("warnings"); !strings.Contains(text, want) {
				t.Errorf("the registry %s: warnings of /readyz: %q", how, text)
			}
			if text := first.component("blocked"); !strings.Contains(text, "trade-executions/0: the next record needs a schema: schema registry registry:8081") {
				t.Errorf("the registry %s: blocked of /readyz: %q", how, text)
			}
			if text := first.component("partitions"); text != "" {
				t.Errorf("the registry %s: partitions of /readyz: %q", how, text)
			}
		}
		r.behave("hangs")
		time.Sleep(7 * time.Second)
		began := time.Now()
		first.stop()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("a stop took %s while a schema was awaited", took)
		}
		second := w.node()
		time.Sleep(20 * time.Second)
		r.behave("works")
		time.Sleep(20 * time.Second)
		if n := w.deliveredOf("k0"); n != 40 {
			t.Errorf("%d of 40 alerts after the outage", n)
		}
		if n := r.answers.Load(); n != 2 {
			t.Errorf("%d answers for two schemas", n)
		}
		for _, name := range []string{"warnings", "blocked"} {
			if text := second.component(name); text != "" {
				t.Errorf("%s of /readyz after the outage: %q", name, text)
			}
		}
		if n := w.deadLetters(); n != 0 {
			t.Errorf("%d dead letters of an outage", n)
		}
		send(0, avro(7, "k0", 40))
		send(0, avro(1, "k0", 40))
		time.Sleep(5 * time.Second)
		if dead, n := w.deadLetters(), w.deliveredOf("k0"); dead != 0 || n != 40 {
			t.Errorf("a schema that may be fresh: %d dead letters, %d alerts", dead, n)
		}
		time.Sleep(15 * time.Second)
		if dead, n := w.deadLetters(), w.deliveredOf("k0"); dead != 1 || n != 41 {
			t.Errorf("an unknown schema: %d dead letters, %d alerts", dead, n)
		}
		second.stop()
	})
}

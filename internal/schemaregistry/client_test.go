package schemaregistry_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/schemaregistry"
	"github.com/algotrade/notifier/internal/secret"
)

const (
	side  = `{"type":"enum","name":"Side","namespace":"desk","symbols":["BUY","SELL"]}`
	leg   = `{"type":"record","name":"Leg","namespace":"desk","fields":[{"name":"side","type":"Side"}]}`
	order = `{"type":"record","name":"Order","namespace":"desk","fields":[{"name":"id","type":"string"},{"name":"leg","type":"Leg"},{"name":"side","type":"Side"}]}`
	proto = `syntax = "proto3"; package desk; import "desk/side.proto"; message Order { string id = 1; Side side = 2; }`
	sides = `syntax = "proto3"; package desk; enum Side { BUY = 0; SELL = 1; }`
)

// stand is a registry over HTTP, a client of it, and the requests it got.
type stand struct {
	registry   *srfake.Registry
	client     *schemaregistry.Client
	conditions *health.Conditions
	requests   atomic.Int32
	fault      atomic.Pointer[http.HandlerFunc] // answers instead of the registry
}

func newStand(t *testing.T, change func(*schemaregistry.Config), opts ...srfake.Option) *stand {
	t.Helper()
	s := &stand{registry: srfake.New(opts...), conditions: health.New(slog.New(slog.DiscardHandler), nil)}
	t.Cleanup(s.registry.Close)
	s.registry.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		s.requests.Add(1)
		if f := s.fault.Load(); f != nil {
			(*f)(w, r)
			return true
		}
		return false
	})
	config := schemaregistry.Defaults()
	config.URLs = []string{s.registry.URL()}
	if change != nil {
		change(&config)
	}
	var err error
	if s.client, err = schemaregistry.New(schemaregistry.Params{Config: config, Redactor: secret.NewRedactor(&config), Conditions: s.conditions}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.Close)
	avro := func(text string, refs ...sr.SchemaReference) sr.Schema {
		return sr.Schema{Schema: text, Type: sr.TypeAvro, References: refs}
	}
	s.registry.SeedSchema("side", 1, 11, avro(side))
	s.registry.SeedSchema("leg", 3, 12, avro(leg, sr.SchemaReference{Name: "desk.Side", Subject: "side", Version: 1}))
	s.registry.SeedSchema("orders-value", 1, 42, avro(order, sr.SchemaReference{Name: "desk.Leg", Subject: "leg", Version: 3}, sr.SchemaReference{Name: "desk.Side", Subject: "side", Version: 1}))
	s.registry.SeedSchema("side.proto", 1, 51, sr.Schema{Schema: sides, Type: sr.TypeProtobuf})
	s.registry.SeedSchema("orders-proto", 1, 52, sr.Schema{Schema: proto, Type: sr.TypeProtobuf, References: []sr.SchemaReference{{Name: "desk/side.proto", Subject: "side.proto", Version: 1}}})
	s.registry.SeedSchema("orders-json", 1, 61, sr.Schema{Schema: `{"type":"object"}`, Type: sr.TypeJSON})
	s.registry.SeedSchema("broken", 1, 71, avro(`{"type":"record","name":"A","fields":[{"name":"b","type":"Nowhere"}]}`))
	return s
}

func (s *stand) fail(f http.HandlerFunc) { s.fault.Store(&f) }

func id(n int) event.SchemaID { return event.SchemaID{Number: n} }

func fetch(t *testing.T, s *stand, of event.SchemaID) event.Schema {
	t.Helper()
	if err := s.client.Fetch(t.Context(), of); err != nil {
		t.Fatal(err)
	}
	found, err := s.client.Find(of)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestSchemaIsFetchedOnceWithItsReferences(t *testing.T) {
	s := newStand(t, nil)
	var missing *event.SchemaMissing
	if _, err := s.client.Find(id(42)); !errors.As(err, &missing) || missing.ID != id(42) {
		t.Errorf("before it is fetched: %v", err)
	}
	found := fetch(t, s, id(42))
	q := event.NewQuota(event.DefaultMaxUnpacked)
	v, err := found.Read(nil, []byte("\x06o-1\x02\x00"), nil, &q, nil)
	if err != nil || v.Get("id").Text() != "o-1" || v.Lookup("leg", "side").Text() != "SELL" || v.Get("side").Text() != "BUY" {
		t.Errorf("read %v: %v", v, err)
	}
	if n := s.requests.Load(); n != 3 {
		t.Errorf("%d requests for a schema and two others that it refers to", n)
	}
	for range 3 {
		fetch(t, s, id(42))
	}
	if n := s.requests.Load(); n != 3 {
		t.Errorf("%d requests after it was known", n-3)
	}
}

func TestProtobufSchemaIsFetchedWithItsImports(t *testing.T) {
	s := newStand(t, nil)
	q := event.NewQuota(event.DefaultMaxUnpacked)
	v, err := fetch(t, s, id(52)).Read(nil, []byte("\x00\x0a\x03o-1\x10\x01"), nil, &q, nil)
	if err != nil || v.Get("side").Text() != "SELL" {
		t.Errorf("read %v: %v", v, err)
	}
}

func TestSchemaIsFetchedByItsGUID(t *testing.T) {
	s := newStand(t, nil)
	known, _ := s.registry.GetSchema("orders-value", 1)
	if known.GUID == "" || fetch(t, s, event.SchemaID{GUID: known.GUID}) == nil {
		t.Errorf("GUID %q", known.GUID)
	}
}

func TestJSONSchemaIsNotCompiled(t *testing.T) {
	if s := newStand(t, nil); fetch(t, s, id(61)) != nil {
		t.Error("a JSON schema reads bytes")
	}
}

func TestDefectiveSchemaIsKnownAsSuch(t *testing.T) {
	s := newStand(t, nil)
	for range 2 {
		if err := s.client.Fetch(t.Context(), id(71)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.client.Find(id(71))
	if f := outcome.Classify(err); f.Cause != outcome.SchemaInvalid || !strings.Contains(f.Detail, "Nowhere") {
		t.Errorf("a schema with an unknown type: %v", err)
	}
	if n := s.requests.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestManyCallersShareOneRequest(t *testing.T) {
	s := newStand(t, nil)
	arrived, proceed := make(chan struct{}), make(chan struct{})
	s.registry.Intercept(func(http.ResponseWriter, *http.Request) bool {
		arrived <- struct{}{}
		<-proceed
		return false
	})
	var wg sync.WaitGroup
	fetched := func() {
		if err := s.client.Fetch(context.Background(), id(11)); err != nil {
			t.Error(err)
		}
	}
	wg.Go(fetched)
	<-arrived
	for range 10 {
		wg.Go(fetched)
	}
	other, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.client.Fetch(other, id(11)); err != nil {
		t.Errorf("a caller whose assignment has ended: %v", err)
	}
	close(proceed)
	wg.Wait()
	if n := s.requests.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// TestFailingRegistryDecidesNothing: whatever goes wrong is told, and is no verdict on the schema.
func TestFailingRegistryDecidesNothing(t *testing.T) {
	const password = "correct-horse"
	for name, c := range map[string]struct {
		fault http.HandlerFunc
		want  string
	}{
		"500":            {answer(500, `{"error_code":50001,"message":"store"}`), "answered 500"},
		"503":            {answer(503, "busy"), "answered 503"},
		"429":            {answer(429, ""), "answered 429"},
		"401":            {answer(401, `{"error_code":401,"message":"`+password+`"}`), "refuses the login (401): check schema_registry.username"},
		"403":            {answer(403, ""), "refuses the login (403)"},
		"404 of a proxy": {answer(404, "<html>nothing here"), "answered 404 and not as a registry does"},
		"404 of Jersey":  {answer(404, `{"error_code":404,"message":"HTTP 404 Not Found"}`), "answered 404 and not as a registry does"},
		"a page":         {answer(200, "<html>hello"), "answered with something that is not a schema"},
		"half a schema":  {answer(200, `{"schema":"\"int`), "answered with something that is not a schema"},
		"another type":   {answer(200, `{"schema":5}`), "answered with something that is not a schema"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
		}, "answered 302"},
		"slow": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "did not answer within 300ms"},
		"slow body": {func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, "did not answer within 300ms"},
		"connection lost": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "connection lost"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, func(c *schemaregistry.Config) {
				c.Username, c.Password, c.Timeout = secret.New("desk"), secret.New(password), 300*time.Millisecond
			})
			s.fail(c.fault)
			err := s.client.Fetch(t.Context(), id(42))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			shown := err.Error() + s.conditions.Message(health.SchemaRegistry, "")
			if strings.Contains(shown, password) || strings.Contains(shown, "http://") || !strings.Contains(shown, "nothing is lost") {
				t.Errorf("shown: %s", shown)
			}
			var missing *event.SchemaMissing
			if _, err := s.client.Find(id(42)); !errors.As(err, &missing) {
				t.Errorf("it is decided: %v", err)
			}
			s.fault.Store(nil)
			fetch(t, s, id(42))
			if text := s.conditions.Message(health.SchemaRegistry, ""); text != "" {
				t.Errorf("the condition stays: %s", text)
			}
		})
	}
}

func TestRegistryThatCannotBeReachedIsTold(t *testing.T) {
	s := newStand(t, func(c *schemaregistry.Config) { c.URLs = []string{"http://127.0.0.1:1"} })
	if err := s.client.Fetch(t.Context(), id(42)); err == nil || err.Error() != "schema registry 127.0.0.1:1: connection refused" {
		t.Errorf("%v", err)
	}
}

func TestNextInstanceIsAskedIfOneIsDown(t *testing.T) {
	s := newStand(t, func(c *schemaregistry.Config) { c.URLs = append([]string{"http://127.0.0.1:1"}, c.URLs...) })
	fetch(t, s, id(42))
}

func TestMetadataServiceIsNeverAsked(t *testing.T) {
	s := newStand(t, func(c *schemaregistry.Config) { c.URLs = []string{"http://169.254.169.254"} })
	if err := s.client.Fetch(t.Context(), id(42)); err == nil || !strings.Contains(err.Error(), "never connected to") {
		t.Errorf("%v", err)
	}
}

func TestLoginIsSentWithEachRequest(t *testing.T) {
	basic := func(c *schemaregistry.Config) { c.Username, c.Password = secret.New("desk"), secret.New("horse") }
	fetch(t, newStand(t, basic, srfake.WithAuth("Basic ZGVzazpob3JzZQ==")), id(42))
	bearer := func(c *schemaregistry.Config) { c.Token = secret.New("t0ken") }
	fetch(t, newStand(t, bearer, srfake.WithAuth("Bearer t0ken")), id(42))
}

func TestTooLargeSchemaIsInvalid(t *testing.T) {
	s := newStand(t, nil)
	s.fail(answer(200, `{"schema":"`+strings.Repeat("x", 5<<20)+`"}`))
	if err := s.client.Fetch(t.Context(), id(42)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.client.Find(id(42)); outcome.Classify(err).Cause != outcome.SchemaInvalid {
		t.Errorf("%v", err)
	}
}

func TestCheckTellsWhatDaemonWouldMeet(t *testing.T) {
	s := newStand(t, nil)
	if r := s.client.Check(t.Context()); len(r) != 1 || r[0].Status != "ok" {
		t.Errorf("%+v", r)
	}
	s.fail(answer(401, ""))
	if r := s.client.Check(t.Context()); len(r) != 1 || r[0].Status != "failed" || !strings.Contains(r[0].Message, "refuses the login") {
		t.Errorf("%+v", r)
	}
}

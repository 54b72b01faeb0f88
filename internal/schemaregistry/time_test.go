package schemaregistry_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/schemaregistry"
)

// inMemory is a registry without a network, for tests with a fake clock, and when it was
// asked.
type inMemory struct {
	*srfake.Registry
	client *schemaregistry.Client
	health *health.Conditions
	began  time.Time
	asked  []time.Duration
	down   bool
}

func newInMemory(t *testing.T) *inMemory {
	t.Helper()
	m := &inMemory{Registry: srfake.NewRegistry(), health: health.New(slog.New(slog.DiscardHandler), nil), began: time.Now()}
	config := schemaregistry.Defaults()
	config.URLs = []string{"http://registry"}
	var err error
	if m.client, err = schemaregistry.New(schemaregistry.Params{Config: config, Conditions: m.health, Transport: m}); err != nil {
		t.Fatal(err)
	}
	return m
}

// RoundTrip implements http.RoundTripper.
func (m *inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	m.asked = append(m.asked, time.Since(m.began))
	if m.down {
		return nil, &outcome.Error{Cause: outcome.Unreachable, Detail: "registry: connection refused"}
	}
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, r)
	return w.Result(), nil
}

func (m *inMemory) seed(n int, text string) {
	m.SeedSchema(fmt.Sprintf("s%d", n), 1, n, sr.Schema{Schema: text, Type: sr.TypeAvro})
}

func TestFreshSchemaIsAwaitedBeforeItIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newInMemory(t)
		var err error
		for err = m.client.Fetch(t.Context(), id(7)); err != nil; err = m.client.Fetch(t.Context(), id(7)) {
			if time.Since(m.began) == 3*time.Second {
				m.seed(8, `"int"`) // another one
			}
		}
		if took := time.Since(m.began); took != 10*time.Second {
			t.Errorf("it is unknown after %s", took)
		}
		if len(m.asked) != 11 {
			t.Errorf("asked at %v", m.asked)
		}
		if text := m.health.Message(health.SchemaRegistry, ""); text != "" {
			t.Errorf("the registry is said to be down: %s", text)
		}
		_, err = m.client.Find(id(7))
		if f := outcome.Classify(err); f.Cause != outcome.UnknownSchema || f.Detail != "schema 7 is not in the schema registry registry" {
			t.Errorf("%v", err)
		}
		time.Sleep(61 * time.Second)
		var missing *event.SchemaMissing
		if _, err = m.client.Find(id(7)); !errors.As(err, &missing) {
			t.Errorf("it is not asked for again: %v", err)
		}
		if err := m.client.Fetch(t.Context(), id(7)); err != nil { // at once: it was awaited before
			t.Error(err)
		}
		m.seed(7, `"int"`)
		time.Sleep(61 * time.Second)
		if err := m.client.Fetch(t.Context(), id(7)); err != nil {
			t.Error(err)
		}
		if s, err := m.client.Find(id(7)); s == nil || err != nil {
			t.Errorf("registered since: %v", err)
		}
	})
}

func TestSchemaThatArrivesLateIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newInMemory(t)
		for m.client.Fetch(t.Context(), id(7)) != nil {
			if len(m.asked) == 9 {
				m.seed(7, `"int"`)
			}
		}
		if s, err := m.client.Find(id(7)); s == nil || err != nil {
			t.Errorf("%v", err)
		}
	})
}

func TestFailingRegistryIsAskedEverMoreSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newInMemory(t)
		m.down = true
		for range 8 {
			if m.client.Fetch(t.Context(), id(7)) == nil {
				t.Error("a registry that is down has answered")
			}
		}
		ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
		if want := []time.Duration{0, ms(250), ms(750), ms(1750), ms(3750), ms(7750), ms(12750), ms(17750)}; !slices.Equal(m.asked, want) {
			t.Errorf("asked at %v, want %v", m.asked, want)
		}
		if m.client.Fetch(t.Context(), id(8)) == nil || m.asked[8] != ms(22750) {
			t.Errorf("another schema is asked for at %v", m.asked[8:])
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := m.client.Fetch(ctx, id(7)); err != nil || time.Since(m.began) != ms(23750) {
			t.Errorf("an assignment that ends waits until %s: %v", time.Since(m.began), err)
		}
		time.Sleep(15 * time.Second)
		if m.health.Message(health.SchemaRegistry, "") == "" {
			t.Error("the condition has ended while the registry is down")
		}
		time.Sleep(15 * time.Second)
		if text := m.health.Message(health.SchemaRegistry, ""); text != "" {
			t.Errorf("the condition stays although nobody needs the registry: %s", text)
		}
	})
}

func TestSchemasInMemoryAreBounded(t *testing.T) {
	m := newInMemory(t)
	symbol := func(n int) string { return fmt.Sprintf(`{"type":"enum","name":"E","symbols":["S%01000000d"]}`, n) }
	for n := range 40 {
		m.seed(n+1, symbol(n))
		if err := m.client.Fetch(t.Context(), id(n+1)); err != nil {
			t.Fatal(err)
		}
		if _, err := m.client.Find(id(n + 1)); err != nil {
			t.Fatalf("the newest is forgotten: %v", err)
		}
	}
	kept := 0
	for n := range 40 {
		if _, err := m.client.Find(id(n + 1)); err == nil {
			kept++
		}
	}
	if kept < 14 || kept > 16 {
		t.Errorf("%d schemas of 1 MB are in memory", kept)
	}
}

func TestCommandsWaitForRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newInMemory(t)
		m.seed(7, `"int"`)
		m.down = true
		var away *schemaregistry.UnavailableError
		if _, err := m.client.Waiting(t.Context()).Find(id(7)); !errors.As(err, &away) || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("the registry is away: %v", err)
		}
		if took := time.Since(m.began); took < 15*time.Second || took > 21*time.Second { // a try more, at most
			t.Errorf("given up after %s", took)
		}
		m.down = false
		if s, err := m.client.Waiting(t.Context()).Find(id(7)); s == nil || err != nil {
			t.Errorf("it is back: %v, %v", s, err)
		}
		if _, err := m.client.Waiting(t.Context()).Find(id(8)); outcome.Classify(err).Cause != outcome.UnknownSchema {
			t.Errorf("a schema that there is not: %v", err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(context.DeadlineExceeded)
		if _, err := m.client.Waiting(ctx).Find(id(9)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ctx has ended: %v", err)
		}
	})
}

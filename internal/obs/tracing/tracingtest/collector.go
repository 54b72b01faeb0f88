// Package tracingtest is an OpenTelemetry collector (OTLP/HTTP) for tests.
package tracingtest

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is a received span; ids are hexadecimal.
type Span struct {
	Name, Kind                string // Kind: internal, client, producer, consumer
	Trace, ID, Parent         string // Parent: empty for a root
	Remote                    bool   // the parent is in another process
	Error                     string // the status's description; empty: not failed
	Start, End                time.Time
	Attributes, Resource      map[string]string
	Links                     []string // trace/span
	Scope, TraceState, String string   // String: all of it as text, to search
}

// Collector is the server.
type Collector struct {
	*httptest.Server
	mu      sync.Mutex
	spans   []Span
	headers []http.Header
	refuse  int
	posts   int
	changed chan struct{}
}

// Start starts a collector until the test ends.
func Start(t testing.TB) *Collector {
	t.Helper()
	c := &Collector{changed: make(chan struct{})}
	c.Server = httptest.NewServer(http.HandlerFunc(c.take))
	t.Cleanup(c.Close)
	return c
}

// Refuse sets the status of responses; 0: accept.
func (c *Collector) Refuse(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuse = status
}

func (c *Collector) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.posts++
	close(c.changed)
	c.changed = make(chan struct{})
	var req collector.ExportTraceServiceRequest
	switch {
	case c.refuse != 0:
		http.Error(w, "refused "+r.Header.Get("Authorization"), c.refuse)
		return
	case err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" || proto.Unmarshal(body, &req) != nil:
		http.Error(w, "not OTLP", http.StatusBadRequest)
		return
	}
	c.headers = append(c.headers, r.Header)
	for _, resource := range req.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, s := range scope.Spans {
				got := spanOf(s)
				got.Resource, got.Scope = values(resource.Resource.Attributes), scope.Scope.GetName()
				c.spans = append(c.spans, got)
			}
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func spanOf(s *otlp.Span) Span {
	kinds := map[otlp.Span_SpanKind]string{1: "internal", 3: "client", 4: "producer", 5: "consumer"}
	got := Span{
		Name: s.Name, Kind: kinds[s.Kind], Trace: hex.EncodeToString(s.TraceId), ID: hex.EncodeToString(s.SpanId), Parent: hex.EncodeToString(s.ParentSpanId),
		Remote: s.Flags&uint32(otlp.SpanFlags_SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK) != 0, TraceState: s.TraceState,
		Start: time.Unix(0, int64(s.StartTimeUnixNano)), End: time.Unix(0, int64(s.EndTimeUnixNano)),
		Attributes: values(s.Attributes), String: s.String(),
	}
	if s.Status.GetCode() == otlp.Status_STATUS_CODE_ERROR {
		got.Error = s.Status.GetMessage()
	}
	for _, l := range s.Links {
		got.Links = append(got.Links, hex.EncodeToString(l.TraceId)+"/"+hex.EncodeToString(l.SpanId))
	}
	return got
}

func values(list []*common.KeyValue) map[string]string {
	m := make(map[string]string)
	for _, a := range list {
		switch v := a.Value.GetValue().(type) {
		case *common.AnyValue_StringValue:
			m[a.Key] = v.StringValue
		case *common.AnyValue_IntValue:
			m[a.Key] = fmt.Sprint(v.IntValue)
		default:
			m[a.Key] = fmt.Sprint(v)
		}
	}
	return m
}

// Spans returns the received spans by start time.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := slices.Clone(c.spans)
	slices.SortStableFunc(list, func(a, b Span) int { return a.Start.Compare(b.Start) })
	return list
}

// Headers returns the headers of accepted requests.
func (c *Collector) Headers() []http.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.headers)
}

// Posts returns the number of requests, accepted or not.
func (c *Collector) Posts() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.posts
}

// Wait waits until the received spans satisfy holds.
func (c *Collector) Wait(t testing.TB, within time.Duration, holds func([]Span) bool) []Span {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	for {
		c.mu.Lock()
		changed := c.changed
		c.mu.Unlock()
		list := c.Spans()
		if holds(list) {
			return list
		}
		select {
		case <-changed:
		case <-deadline.C:
			t.Fatalf("after %s the collector has %d spans: %v", within, len(list), Names(list))
		}
	}
}

// Names are the names of spans.
func Names(list []Span) []string {
	names := make([]string, len(list))
	for i, s := range list {
		names[i] = s.Name
	}
	return names
}

// Find returns the only span with a name and attributes, or fails the test.
func Find(t testing.TB, list []Span, name string, attributes ...string) Span {
	t.Helper()
	var found []Span
next:
	for _, s := range list {
		for i := 0; i < len(attributes); i += 2 {
			if s.Attributes[attributes[i]] != attributes[i+1] {
				continue next
			}
		}
		if s.Name == name {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d spans are %q with %q, among %v", len(found), name, attributes, Names(list))
	}
	return found[0]
}

// Package schemaregistry fetches the schemas of Avro and Protobuf records from a registry
// that speaks Confluent's REST API, and keeps them compiled: a schema's id never means
// another one. Find never waits, so that a record with a known schema costs no more than
// JSON. Fetch waits, for the partition whose next record needs a schema. A registry that
// does not answer delays records and makes none of them a dead letter. Start reading at
// Client.Fetch.
package schemaregistry

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/algotrade/notifier/internal/channel/httpsend"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/secret"
)

// Params is what a Client needs.
type Params struct {
	Config     Config
	Redactor   *secret.Redactor
	Conditions *health.Conditions // nil: none
	Metrics    *Metrics           // nil: none
	Transport  http.RoundTripper  // nil: of Config; for tests
}

// Client is an event.Schemas.
type Client struct {
	config     Config
	name       string
	api        *sr.Client
	connection *httpsend.Client
	redactor   *secret.Redactor
	conditions *health.Conditions
	metrics    *Metrics

	mu      sync.RWMutex
	known   map[event.SchemaID]known
	size    int // of the texts of known
	flights map[event.SchemaID]*flight
	absent  map[event.SchemaID]absence // schemas that the registry did not have
	wait    *backoff.ExponentialBackOff
	until   time.Time // nothing is asked before: the registry failed
}

// known is a schema, or why there is none.
type known struct {
	schema event.Schema // nil: its documents are JSON
	err    *outcome.Error
	until  time.Time // zero: for ever
	size   int
}

// flight is one try to fetch a schema.
type flight struct {
	done chan struct{}
	err  error
}

// absence is since when a schema is absent, and when to ask again.
type absence struct{ since, next time.Time }

const (
	// absentFor is how long a schema must be absent until it counts as unknown: a fresh one
	// may not have reached every instance of the registry.
	absentFor = 10 * time.Second
	// askAbsent is how often it is asked for meanwhile, and unknownFor how long the answer
	// holds then.
	askAbsent  = time.Second
	unknownFor = time.Minute
	// maxKnown bounds the texts of all schemas in memory, and maxAbsent the absent ones.
	maxKnown  = 16 << 20
	maxAbsent = 10_000
	// maxWait is the longest wait for a registry that fails.
	maxWait = 5 * time.Second
)

// New returns a client. It makes no connection.
func New(p Params) (*Client, error) {
	c := &Client{
		config: p.Config, name: p.Config.name(), redactor: p.Redactor, conditions: p.Conditions, metrics: p.Metrics,
		known: make(map[event.SchemaID]known), flights: make(map[event.SchemaID]*flight), absent: make(map[event.SchemaID]absence),
		wait: backoff.NewExponentialBackOff(backoff.WithInitialInterval(250*time.Millisecond), backoff.WithMultiplier(2),
			backoff.WithRandomizationFactor(0), backoff.WithMaxInterval(maxWait), backoff.WithMaxElapsedTime(0)),
	}
	if c.metrics == nil {
		c.metrics = NewMetrics(nil)
	}
	transport := p.Transport
	if transport == nil {
		var err error
		if c.connection, err = httpsend.Open(2, p.Config.CA, p.Config.Proxy, p.Redactor); err != nil {
			return nil, fmt.Errorf("schema_registry: %w", err)
		}
		transport = c.connection
	}
	options := []sr.ClientOpt{
		sr.URLs(p.Config.URLs...), sr.UserAgent("notifier"), sr.LogLevel(sr.LogLevelNone),
		sr.HTTPClient(&http.Client{Transport: bounded{transport}, Timeout: p.Config.Timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}),
		sr.PreReq(c.login),
	}
	var err error
	c.api, err = sr.NewClient(options...)
	return c, err
}

// login sets the current login of a request.
func (c *Client) login(r *http.Request) error {
	username, password, token := c.config.Username.Current(), c.config.Password.Current(), c.config.Token.Current()
	switch {
	case token != "":
		r.Header.Set("Authorization", "Bearer "+token)
	case username != "" || password != "":
		r.SetBasicAuth(username, password)
	}
	return nil
}

// Close closes idle connections.
func (c *Client) Close() {
	if c.connection != nil {
		c.connection.Close()
	}
}

// Find implements event.Schemas.
func (c *Client) Find(id event.SchemaID) (event.Schema, error) {
	c.mu.RLock()
	k, ok := c.known[id]
	c.mu.RUnlock()
	switch {
	case !ok, !k.until.IsZero() && time.Now().After(k.until):
		return nil, &event.SchemaMissing{ID: id}
	case k.err != nil:
		return nil, k.err
	}
	return k.schema, nil
}

// Fetch tries once to have Find know a schema, or know that there is none. Callers that
// want the same share one try, and while the registry fails the next try waits. The error
// is for people and means that another try is due. When ctx ends it returns at once.
func (c *Client) Fetch(ctx context.Context, id event.SchemaID) error {
	f, first, next := c.begin(id)
	switch {
	case f == nil:
		return nil
	case !first:
		select {
		case <-f.done:
			return f.err
		case <-ctx.Done():
			return nil
		}
	}
	defer func() {
		c.mu.Lock()
		delete(c.flights, id)
		c.mu.Unlock()
		close(f.done)
	}()
	if sleep(ctx, time.Until(next)) {
		f.err = c.try(ctx, id)
	}
	return f.err
}

// begin returns the flight of a schema, whether the caller is to make it, and when; nil:
// the schema is known.
func (c *Client) begin(id event.SchemaID) (f *flight, first bool, next time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k, ok := c.known[id]; ok && (k.until.IsZero() || time.Now().Before(k.until)) {
		return nil, false, next
	}
	if f := c.flights[id]; f != nil {
		return f, false, next
	}
	f = &flight{done: make(chan struct{})}
	c.flights[id] = f
	next = c.until
	if a := c.absent[id]; a.next.After(next) {
		next = a.next
	}
	return f, true, next
}

// try asks the registry once.
func (c *Client) try(ctx context.Context, id event.SchemaID) error {
	k, err := c.load(ctx, id)
	if ctx.Err() != nil { // it says nothing of the registry
		return nil
	}
	result, text := c.judge(id, err)
	c.metrics.tries.WithLabelValues(result).Inc()
	if result == resultRefused || result == resultFailed {
		c.failed(text)
		return fmt.Errorf("%s", text)
	}
	c.answered()
	c.mu.Lock()
	defer c.mu.Unlock()
	if result == resultOK {
		delete(c.absent, id)
		c.keep(id, k)
		return nil
	}
	now := time.Now()
	a, ok := c.absent[id]
	if !ok {
		if len(c.absent) >= maxAbsent {
			clear(c.absent)
		}
		a.since = now
	}
	a.next = now.Add(askAbsent)
	c.absent[id] = a
	if now.Sub(a.since) < absentFor {
		return fmt.Errorf("%s", text)
	}
	c.keep(id, known{err: outcome.Errorf(outcome.UnknownSchema, "%s", text), until: now.Add(unknownFor)})
	return nil
}

// keep adds a schema, and forgets others if they are too large together; c.mu is held.
func (c *Client) keep(id event.SchemaID, k known) {
	k.size += 1 << 10 // of the map's entry and a compiled schema at least
	c.size += k.size - c.known[id].size
	c.known[id] = k
	for other, o := range c.known {
		if c.size <= maxKnown {
			break
		}
		if other != id {
			c.size -= o.size
			delete(c.known, other)
		}
	}
}

// failed sets the condition, and when the next try is.
func (c *Client) failed(text string) {
	c.mu.Lock()
	wait := c.wait.NextBackOff()
	c.until = time.Now().Add(wait)
	c.mu.Unlock()
	if c.conditions != nil {
		c.conditions.Set(health.Condition{
			Type: health.SchemaRegistry, Lease: 2 * (maxWait + c.config.Timeout),
			Message: text + ". Partitions wait whose next record needs a schema that is not in memory; nothing is lost",
		})
	}
}

func (c *Client) answered() {
	c.mu.Lock()
	c.wait.Reset()
	c.until = time.Time{}
	c.mu.Unlock()
	if c.conditions != nil {
		c.conditions.Clear(health.SchemaRegistry, "")
	}
}

// sleep waits for d and reports whether ctx was still alive then.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

package schemaregistry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/schema"
)

// Bounds of one schema with its references.
const (
	maxReply      = 4 << 20 // bytes of one response
	maxText       = 4 << 20 // bytes of all texts
	maxReferences = 500
)

// bounded bounds the responses of a transport.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxReply)
	}
	return resp, err
}

// load fetches and compiles a schema. Its error is that of a request: a schema that cannot
// be used is known as such.
func (c *Client) load(ctx context.Context, id event.SchemaID) (known, error) {
	var main sr.Schema
	var err error
	if id.GUID != "" {
		var found sr.SubjectSchema
		found, err = c.api.SchemaByGUID(ctx, id.GUID)
		main = found.Schema
	} else {
		main, err = c.api.SchemaByID(ctx, id.Number)
	}
	if err != nil {
		return unusable(err)
	}
	r := references{api: c.api, seen: make(map[sr.SchemaReference]bool), byName: make(map[string]string), size: len(main.Schema)}
	if main.Type != sr.TypeJSON {
		if err := r.add(sr.WithParams(ctx, sr.ShowDeleted), main.References); err != nil {
			return unusable(err)
		}
	}
	s, err := compile(ctx, main, &r)
	if err != nil {
		return unusable(err)
	}
	return known{schema: s, size: r.size}, nil
}

// unusable separates a schema that cannot be used from a request that failed.
func unusable(err error) (known, error) {
	var invalid *outcome.Error
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return known{err: outcome.Errorf(outcome.SchemaInvalid, "the schema is larger than 4 MiB")}, nil
	}
	if errors.As(err, &invalid) && invalid.Cause == outcome.SchemaInvalid {
		return known{err: invalid}, nil
	}
	return known{}, err
}

// references are the schemas that a schema refers to, directly or not.
type references struct {
	api     *sr.Client
	seen    map[sr.SchemaReference]bool
	ordered []string          // each after those that it refers to
	byName  map[string]string // the text by the name by which it is referred to
	size    int
}

func (r *references) add(ctx context.Context, list []sr.SchemaReference) error {
	for _, reference := range list {
		if r.seen[reference] {
			continue
		}
		r.seen[reference] = true
		if len(r.seen) > maxReferences {
			return outcome.Errorf(outcome.SchemaInvalid, "the schema refers to more than %d others", maxReferences)
		}
		found, err := r.api.SchemaByVersion(ctx, reference.Subject, reference.Version)
		if err != nil {
			return &referenceError{reference, err}
		}
		if r.size += len(found.Schema.Schema); r.size > maxText {
			return outcome.Errorf(outcome.SchemaInvalid, "the schema and those that it refers to are larger than 4 MiB")
		}
		if err := r.add(ctx, found.References); err != nil {
			return err
		}
		r.ordered = append(r.ordered, found.Schema.Schema)
		r.byName[reference.Name] = found.Schema.Schema
	}
	return nil
}

// referenceError is the error of a request for a reference.
type referenceError struct {
	reference sr.SchemaReference
	err       error
}

func (e *referenceError) Error() string { return e.err.Error() }
func (e *referenceError) Unwrap() error { return e.err }

// compile returns a schema; nil: its documents are JSON. The error is an *outcome.Error,
// unless ctx ended.
func compile(ctx context.Context, s sr.Schema, r *references) (_ event.Schema, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = outcome.Errorf(outcome.SchemaInvalid, "the compiler panicked (%T)", v)
		}
	}()
	switch s.Type {
	case sr.TypeAvro:
		return schema.Avro(s.Schema, r.ordered)
	case sr.TypeProtobuf:
		return schema.Protobuf(ctx, s.Schema, r.byName)
	case sr.TypeJSON:
		return nil, nil
	}
	return nil, outcome.Errorf(outcome.SchemaInvalid, "its type is neither Avro nor Protobuf nor JSON")
}

// The results of a try.
const (
	resultOK      = "ok"
	resultAbsent  = "absent"
	resultRefused = "refused"
	resultFailed  = "failed"
)

var results = []string{resultOK, resultAbsent, resultRefused, resultFailed}

// The error codes of Confluent's API for a schema that does not exist.
const noSubject, noVersion, noSchema = 40401, 40402, 40403

// judge returns the result of a try, and what to tell of it. Only a registry's own answer
// says that a schema is absent: any server answers 404 to a wrong URL.
func (c *Client) judge(id event.SchemaID, err error) (result, text string) {
	var response *sr.ResponseError
	var connection *outcome.Error
	var reference *referenceError
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	var slow interface{ Timeout() bool }
	var request *url.Error
	what := "schema " + id.String()
	if errors.As(err, &reference) {
		what = fmt.Sprintf("version %d of subject %s, which schema %s refers to,", reference.reference.Version, clean(reference.reference.Subject), id)
	}
	switch {
	case err == nil:
		return resultOK, ""
	case errors.As(err, &response):
		switch code := response.StatusCode; {
		case code == http.StatusNotFound && (response.ErrorCode == noSchema || response.ErrorCode == noSubject || response.ErrorCode == noVersion):
			return resultAbsent, fmt.Sprintf("%s is not in the %s", what, c.name)
		case code == http.StatusUnauthorized, code == http.StatusForbidden:
			return resultRefused, fmt.Sprintf("%s refuses the login (%d): check schema_registry.username, password or token, and that they may read schemas", c.name, code)
		case code == http.StatusNotFound:
			return resultFailed, fmt.Sprintf("%s answered 404 and not as a registry does: check schema_registry.urls", c.name)
		default:
			return resultFailed, fmt.Sprintf("%s answered %d", c.name, code)
		}
	case errors.As(err, &slow) && slow.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return resultFailed, fmt.Sprintf("%s did not answer within %s", c.name, c.config.Timeout)
	case errors.As(err, &connection):
		return resultFailed, fmt.Sprintf("schema registry %s", connection.Detail)
	case errors.As(err, &syntax), errors.As(err, &kind), errors.Is(err, io.ErrUnexpectedEOF):
		return resultFailed, fmt.Sprintf("%s answered with something that is not a schema: check schema_registry.urls", c.name)
	}
	why := fmt.Sprintf("%T", err)
	if errors.As(err, &request) { // its own text has the URL
		why = clean(c.redactor.Redact(request.Err.Error()))
	}
	return resultFailed, fmt.Sprintf("%s cannot be asked: %s", c.name, why)
}

// clean is a text that the registry may have chosen, for people.
func clean(name string) string {
	const most = 200
	if name = strings.ToValidUTF8(name, "\uFFFD"); len(name) > most {
		name = strings.ToValidUTF8(name[:most], "") + "…"
	}
	return fmt.Sprintf("%q", name)
}

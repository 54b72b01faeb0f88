package schemaregistry

import (
	"context"
	"errors"
	"time"

	"github.com/algotrade/notifier/internal/event"
)

// patience is for how long Waiting asks a registry that does not answer. It is longer than
// absentFor, so that it is known whether there is a schema.
const patience = 15 * time.Second

// UnavailableError says why a schema could not be fetched. It says nothing of the record
// that needs it.
type UnavailableError struct{ Why string }

func (e *UnavailableError) Error() string { return e.Why }

// Waiting returns Schemas for a command, which has nothing else to do: Find fetches a schema
// that is not known yet. Its error is an *UnavailableError if the registry has failed for 15
// seconds, and the cause of ctx if that has ended.
func (c *Client) Waiting(ctx context.Context) event.Schemas { return waiting{ctx, c} }

type waiting struct {
	ctx    context.Context
	client *Client
}

// Find implements event.Schemas.
func (w waiting) Find(id event.SchemaID) (event.Schema, error) {
	for began := time.Now(); ; {
		s, err := w.client.Find(id)
		var missing *event.SchemaMissing
		if !errors.As(err, &missing) {
			return s, err
		}
		if err := w.client.Fetch(w.ctx, id); err != nil && time.Since(began) > patience {
			return nil, &UnavailableError{err.Error()}
		}
		if w.ctx.Err() != nil {
			return nil, context.Cause(w.ctx)
		}
	}
}

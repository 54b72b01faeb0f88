package base

import (
	"context"

	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/schemaregistry"
)

// Decoder returns a decoder that reads records as the daemon does: it checks events against
// their schemas, and fetches those of the schema registry. If that does not answer, or ctx
// ends, the error of Decode is neither event.ErrTombstone nor an *outcome.Error.
func (g *Globals) Decoder(ctx context.Context, l *config.Loaded) (*event.Decoder, error) {
	d := l.Decoder(nil)
	if !l.SchemaRegistry.Enabled() {
		return d, nil
	}
	c, err := schemaregistry.New(schemaregistry.Params{Config: l.SchemaRegistry, Redactor: g.Redactor})
	if err != nil {
		return nil, err
	}
	d.UseSchemas(c.Waiting(ctx))
	return d, nil
}

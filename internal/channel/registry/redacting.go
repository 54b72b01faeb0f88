package registry

import (
	"context"
	"io"
	"slices"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/secret"
)

// redacting takes secrets out of all that a channel says, whichever kind it is:
// its errors, receipts and findings. What a kind cuts short it has to redact
// before, since a part of a secret is not found here.
type redacting struct {
	channel  channel.Channel
	redactor *secret.Redactor
}

// Send implements channel.Channel.
func (r redacting) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	receipt, err := r.channel.Send(ctx, m)
	receipt.ID, receipt.Answer = r.redactor.Redact(receipt.ID), r.redactor.Redact(receipt.Answer)
	receipt.Refused, receipt.Deferred = r.refusals(receipt.Refused), r.refusals(receipt.Deferred)
	return receipt, r.error(err)
}

func (r redacting) refusals(list []channel.Refusal) []channel.Refusal {
	list = slices.Clone(list)
	for i := range list {
		list[i].Err = r.error(list[i].Err)
	}
	return list
}

// error is nil where err is.
func (r redacting) error(err error) error {
	if err == nil {
		return nil
	}
	e := *outcome.Classify(err)
	e.Detail, e.Do = r.redactor.Redact(e.Detail), r.redactor.Redact(e.Do)
	if e.Err != nil {
		e.Err = redacted{e.Err, r.redactor}
	}
	return &e
}

// redacted is an error whose text holds no secret.
type redacted struct {
	err      error
	redactor *secret.Redactor
}

func (r redacted) Error() string { return r.redactor.Redact(r.err.Error()) }
func (r redacted) Unwrap() error { return r.err }

// Verify implements channel.Verifier.
func (r redacting) Verify(ctx context.Context) []check.Result {
	v, ok := r.channel.(channel.Verifier)
	if !ok {
		return []check.Result{check.Skipf("channel", "its kind cannot be looked at without sending")}
	}
	found := v.Verify(ctx)
	for i, f := range found {
		found[i].Subject, found[i].Message, found[i].Remedy = r.redactor.Redact(f.Subject), r.redactor.Redact(f.Message), r.redactor.Redact(f.Remedy)
	}
	return found
}

// Close implements io.Closer.
func (r redacting) Close() error {
	if c, ok := r.channel.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

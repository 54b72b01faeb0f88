package registry

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/secret"
)

// redactingChannel removes secrets from a channel's errors, receipts and check
// results, and from what a message says of another channel. A kind that truncates a text must redact it first: a part of a
// secret is not recognised here.
type redactingChannel struct {
	channel  channel.Channel
	redactor *secret.Redactor
}

// Send implements channel.Channel.
func (r redactingChannel) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	if m.Instead != nil { // the cause is from another channel's provider
		m.Instead = &channel.Instead{Channel: m.Instead.Channel, Cause: r.redactor.Redact(m.Instead.Cause)}
	}
	receipt, err := r.channel.Send(ctx, m)
	receipt.ID, receipt.Answer = r.redactor.Redact(receipt.ID), r.redactor.Redact(receipt.Answer)
	receipt.Refused, receipt.Deferred = r.refusals(receipt.Refused), r.refusals(receipt.Deferred)
	return receipt, r.error(err)
}

func (r redactingChannel) refusals(list []channel.Refusal) []channel.Refusal {
	list = slices.Clone(list)
	for i := range list {
		list[i].Err = r.error(list[i].Err)
	}
	return list
}

// error returns err without secrets; nil for nil.
func (r redactingChannel) error(err error) error {
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

// redacted is an error whose text contains no secret.
type redacted struct {
	err      error
	redactor *secret.Redactor
}

func (r redacted) Error() string { return r.redactor.Redact(r.err.Error()) }
func (r redacted) Unwrap() error { return r.err }

// Verify implements channel.Verifier.
func (r redactingChannel) Verify(ctx context.Context) []check.Result {
	v, ok := r.channel.(channel.Verifier)
	if !ok {
		return []check.Result{check.Skipf("channel", "channels of this kind cannot be verified without sending")}
	}
	found := v.Verify(ctx)
	for i, f := range found {
		found[i].Subject, found[i].Message, found[i].Remedy = r.redactor.Redact(f.Subject), r.redactor.Redact(f.Message), r.redactor.Redact(f.Remedy)
	}
	return found
}

// Preview implements channel.Previewer.
func (r redactingChannel) Preview(m channel.Message) (channel.Preview, error) {
	p, ok := r.channel.(channel.Previewer)
	if !ok {
		return channel.Preview{}, errors.New("channels of this kind cannot be previewed")
	}
	preview, err := p.Preview(m)
	for i, part := range preview.Parts {
		preview.Parts[i].Content = r.redactor.Redact(part.Content)
	}
	for _, request := range preview.Requests {
		for name, value := range request.Headers {
			request.Headers[name] = r.redactor.Redact(value)
		}
	}
	for i, request := range preview.Requests {
		preview.Requests[i].Body = r.redactor.Redact(request.Body)
	}
	return preview, r.error(err)
}

// Close implements io.Closer.
func (r redactingChannel) Close() error {
	if c, ok := r.channel.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

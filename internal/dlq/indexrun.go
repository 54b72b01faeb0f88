package dlq

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

const (
	// idInterval is how often topic ids are compared.
	idInterval = 3 * time.Second
	// retryAfter is how long Run waits after an error.
	retryAfter = time.Second
)

// Run reads until ctx ends. After an error it tries again.
func (x *Index) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := x.follow(ctx); err != nil && ctx.Err() == nil {
			if now := time.Now(); now.Sub(x.warned) > time.Minute {
				x.warned = now
				x.logger.Warn("dead letters cannot be read", "err", err)
			}
			select {
			case <-time.After(retryAfter):
			case <-ctx.Done():
			}
		}
	}
}

// follow loads the topics that are new, and returns when one was recreated,
// when it cannot read, or when ctx ends.
func (x *Index) follow(ctx context.Context) error {
	found, err := x.reader.admin.ListTopics(ctx, x.names...)
	if err != nil {
		return err
	}
	var spans []Span
	for _, name := range x.names {
		if err := x.refresh(ctx, name, found[name]); err != nil {
			return err
		}
		if t := x.topics[name]; t.loaded {
			spans = append(spans, Span{Topic: name, Start: t.read, End: t.read})
		}
	}
	tail := NewTail(x.tail, spans)
	defer tail.Close()
	x.once.Do(func() { close(x.ready) })
	x.tell()
	for compared := time.Now(); ctx.Err() == nil; {
		entries, err := tail.Poll(ctx, idInterval)
		x.Take(entries, tail.read)
		var failed *TailError
		if errors.As(err, &failed) && errors.Is(err, kerr.OffsetOutOfRange) {
			return x.outOfRange(ctx, failed.Topic)
		}
		if failed != nil && errors.Is(err, kerr.UnknownTopicID) { // the client has the id of a topic that was recreated while nobody read it
			x.reset(ctx, failed.Topic)
		}
		if err != nil {
			return err
		}
		if time.Since(compared) < idInterval {
			continue
		}
		compared = time.Now()
		if found, err = x.reader.admin.ListTopics(ctx, x.names...); err != nil || x.differ(found) {
			return err
		}
	}
	return nil
}

// differ reports whether a topic is not the one that was read.
func (x *Index) differ(found kadm.TopicDetails) bool {
	return slices.ContainsFunc(x.names, func(name string) bool { return x.topics[name].differs(found[name]) })
}

func (t *indexed) differs(d kadm.TopicDetail) bool {
	return t.loaded == missing(d) || t.loaded && t.id != d.ID
}

func missing(d kadm.TopicDetail) bool { return errors.Is(d.Err, kerr.UnknownTopicOrPartition) }

// refresh loads a topic that is new or was recreated, and empties one that is
// missing.
func (x *Index) refresh(ctx context.Context, name string, found kadm.TopicDetail) error {
	t := x.topics[name]
	if t.loaded && (missing(found) || found.Err == nil && t.id != found.ID) {
		x.reset(ctx, name)
	}
	if t.loaded || missing(found) {
		return nil
	}
	if found.Err != nil {
		return &TailError{name, found.Err}
	}
	spans, err := x.reader.Spans(ctx, name)
	if err != nil {
		return err
	}
	entries := make(map[Key]version)
	if err := x.reader.EachOf(ctx, spans, Query{Brief: true}, func(e *Entry) bool {
		entries[x.key(name, e.Key)] = versionOf(e)
		return true
	}); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	t.id, t.loaded, t.read, t.entries = found.ID, true, spans[0].End, entries
	return nil
}

// reset empties a topic that was recreated.
func (x *Index) reset(ctx context.Context, name string) {
	x.logger.Warn("dead-letter topic was recreated, reading the new one", "topic", name)
	x.mu.Lock()
	t := x.topics[name]
	*t = indexed{source: t.source, generation: t.generation + 1, entries: make(map[Key]version)}
	x.mu.Unlock()
	x.tell()
	purged := make(chan struct{})
	go func() { // it may wait long for metadata while brokers do not answer
		defer close(purged)
		x.tail.PurgeTopicsFromConsuming(name)
	}()
	select {
	case <-purged:
	case <-ctx.Done():
	}
}

// outOfRange continues where a topic begins, where records were deleted, and
// resets one that ends before what was read.
func (x *Index) outOfRange(ctx context.Context, name string) error {
	spans, err := x.reader.Spans(ctx, name)
	if err != nil {
		return err
	}
	t := x.topics[name]
	if spans[0].Start <= t.read {
		x.reset(ctx, name)
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	t.read = spans[0].Start
	return nil
}

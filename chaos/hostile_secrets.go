package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/topics"
)

// judgeSecrets looks for secrets in everything that leaves the daemon, and for
// characters that a terminal obeys in what people read there.
func (r *hostileReport) judgeSecrets(ctx context.Context) {
	h := r.hostile
	texts := make(map[string][][]byte)
	if log, err := os.ReadFile(filepath.Join(h.dir, "daemon.log")); err == nil {
		texts["log"] = [][]byte{log}
	}
	h.probes.mu.Lock()
	for path, bodies := range h.probes.shown {
		for _, b := range bodies {
			texts[path] = append(texts[path], []byte(b))
		}
	}
	h.probes.mu.Unlock()
	obeyed := make(map[string]int)
	for name, list := range texts {
		for _, t := range list {
			if c := obeys(t); c != "" {
				obeyed[name+" "+c]++
			}
		}
	}
	var failed string
	for _, source := range topics.All() {
		topic := topics.DeadLetter(hostileGroup, source)
		records, err := h.readAll(ctx, topic)
		if err != nil {
			failed = fmt.Sprintf("%s cannot be read: %v", topic, err)
		}
		for _, rec := range records {
			texts["dead letters"] = append(texts["dead letters"], flat(rec))
		}
	}
	leaks := make(map[string]int)
	for name, list := range texts {
		for _, t := range list {
			for _, s := range spellings() {
				if bytes.Contains(t, []byte(s)) {
					leaks[fmt.Sprintf("%s… in %s", s[:6], name)]++
				}
			}
		}
	}
	r.add("secrets that leaked", "0", fmt.Sprint(len(leaks)), failed, listed(leaks, 6))
	r.add("control characters shown", "0", fmt.Sprint(len(obeyed)), listed(obeyed, 6))
}

// obeys returns the first character of a text that a terminal obeys or that
// reorders it; "": none.
func obeys(text []byte) string {
	for _, c := range string(text) {
		switch {
		case c == '\n', c == '\t':
		case c < 0x20, c >= 0x7f && c <= 0x9f, c >= 0x202a && c <= 0x202e, c >= 0x2066 && c <= 0x2069:
			return fmt.Sprintf("U+%04X", c)
		}
	}
	return ""
}

// flat is a record with all that is ours in it as one text.
func flat(r *kgo.Record) []byte {
	b := slices.Concat(r.Key, []byte("\n"), r.Value)
	for _, h := range r.Headers {
		b = append(append(append(b, '\n'), h.Key...), ':')
		b = append(b, h.Value...)
	}
	return b
}

// readAll reads a topic from its beginning to its present end.
func (h *hostile) readAll(ctx context.Context, topic string) ([]*kgo.Record, error) {
	ends, err := h.admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	left := int64(0)
	starts := make(map[int32]kgo.Offset)
	for _, o := range ends[topic] {
		starts[o.Partition] = kgo.NewOffset().AtStart()
		left += o.Offset
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(h.kafka.addr), kgo.DisableClientMetrics(), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: starts}))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var list []*kgo.Record
	reached := make(map[int32]int64)
	for done := left == 0; !done; {
		f := client.PollFetches(ctx)
		if err := f.Err0(); err != nil {
			return list, err
		}
		f.EachRecord(func(r *kgo.Record) {
			list = append(list, r)
			reached[r.Partition] = r.Offset + 1
		})
		done = true
		for _, o := range ends[topic] {
			done = done && reached[o.Partition] >= o.Offset
		}
	}
	return list, nil
}

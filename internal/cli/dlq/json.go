package dlq

import (
	"encoding/base64"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
)

// entryJSON is the JSON of an entry; the names are a contract. Topic, partition and offset are the
// source's, or the entry's own if it is malformed.
type entryJSON struct {
	ID          string     `json:"id"`
	Topic       string     `json:"topic"`
	Partition   int32      `json:"partition"`
	Offset      int64      `json:"offset"`
	Key         *string    `json:"key"`
	KeyBase64   string     `json:"key_base64,omitempty"`
	Rule        string     `json:"rule"`
	Channel     string     `json:"channel"`
	Recipients  []string   `json:"recipients"`
	DeliveredTo []string   `json:"delivered_to"`
	Severity    string     `json:"severity"`
	Reason      string     `json:"reason"`
	Scope       string     `json:"scope"`
	Cause       string     `json:"cause"`
	Fingerprint string     `json:"fingerprint"`
	Detail      string     `json:"detail"`
	Attempts    int        `json:"attempts"`
	FirstFailed *time.Time `json:"first_failed"`
	LastFailed  *time.Time `json:"last_failed"`
	State       string     `json:"state"`
	Replays     int        `json:"replays"`
	Size        int        `json:"size"`

	// Of closed and of edited entries.
	ClosedAt *time.Time `json:"closed_at,omitempty"`
	ClosedBy *string    `json:"closed_by,omitempty"`
	Comment  *string    `json:"comment,omitempty"`
	EditedBy string     `json:"edited_by,omitempty"`
}

func toJSON(e *dlq.Entry) entryJSON {
	s := e.Envelope.Source
	j := entryJSON{
		ID: e.ID, Topic: s.Topic, Partition: s.Partition, Offset: s.Offset, Rule: e.Rule(), Channel: e.Envelope.Channel,
		Recipients: slices.Concat([]string{}, e.Recipients), DeliveredTo: slices.Concat([]string{}, e.Delivered), Reason: string(e.Reason), Scope: string(e.Scope), Cause: string(e.Cause),
		Fingerprint: e.Fingerprint(), Detail: e.Detail, Attempts: e.Attempts, FirstFailed: base.OptionalTime(e.FirstFailed), LastFailed: base.OptionalTime(e.LastFailed),
		State: string(e.State), Replays: e.Replays, Size: e.Size, EditedBy: e.EditedBy,
	}
	if e.State == dlq.Malformed || s.Topic == "" {
		j.Topic, j.Partition, j.Offset = e.Topic, e.Partition, e.Offset
	}
	if e.Envelope.Alert != nil {
		j.Severity = string(e.Envelope.Alert.Severity)
	}
	j.Key, j.KeyBase64 = textOrBase64(s.Key)
	if c := e.Closed; c != nil {
		j.ClosedAt, j.ClosedBy, j.Comment = base.OptionalTime(c.At), &c.By, &c.Comment
		if c.EditedBy != "" {
			j.EditedBy = c.EditedBy
		}
	}
	return j
}

// textOrBase64 returns bytes as text if they are UTF-8, else as base64; nil and "" for null.
func textOrBase64(b []byte) (*string, string) {
	switch {
	case b == nil:
		return nil, ""
	case utf8.Valid(b):
		s := string(b)
		return &s, ""
	}
	return nil, base64.StdEncoding.EncodeToString(b)
}

func keyText(key []byte) string {
	text, coded := textOrBase64(key)
	switch {
	case text != nil:
		return *text
	case coded != "":
		return "base64:" + coded
	}
	return "null"
}

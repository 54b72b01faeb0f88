package consume

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/algotrade/notifier/internal/offsets"
)

// Every commit carries metadata that binds it to the cluster and the topic it
// was made for, so that offsets copied by a mirroring tool, or left by a topic
// that was deleted and made again, are recognised. The format is
//
//	notifier/2 <cluster id> <topic id> [<marks> [<unfinished> [<begun>]]]
//
// where marks are those of the repeat filter and unfinished the list of what is
// above the committed offset, both in base64, "-" for none, and begun is a mark
// of what is being handled (crash.go). A broker takes 4,096 characters by default
// (offset.metadata.max.bytes).
const (
	metadataVersion = "notifier/2"
	metadataLimit   = 4000
	// listLimit is what the list of the unfinished may take, in bytes; the marks
	// get what is left. maxGaps runs always fit: two or three bytes each, where
	// offsets follow each other as closely as in a window of 4,096 records.
	listLimit = 2400
	maxGaps   = 600
)

// binding names the log that an offset belongs to.
type binding struct{ cluster, topicID string }

func (b binding) encode(marks *offsets.Marks, list []byte) string {
	text := metadataVersion + " " + orDash(b.cluster) + " " + orDash(b.topicID)
	above := ""
	if len(list) > 0 {
		above = " " + base64.RawStdEncoding.EncodeToString(list)
	}
	var raw []byte
	if marks != nil {
		raw = marks.Append(nil, base64.RawStdEncoding.DecodedLen(metadataLimit-len(text)-len(above)-1))
	}
	if len(raw) == 0 && above == "" {
		return text
	}
	return text + " " + orDash(base64.RawStdEncoding.EncodeToString(raw)) + above
}

var errMetadata = errors.New("commit metadata is not ours")

// decodeMetadata reads the metadata that was committed with an offset.
func decodeMetadata(text string, offset int64) (binding, *offsets.Marks, unfinished, error) {
	none := unfinished{newest: -1}
	f := strings.Split(text, " ")
	if len(f) < 3 || len(f) > 6 || f[0] != metadataVersion {
		return binding{}, nil, none, errMetadata
	}
	b := binding{cluster: fromDash(f[1]), topicID: fromDash(f[2])}
	var parts [2][]byte
	for i, text := range f[3:min(len(f), 5)] {
		raw, err := base64.RawStdEncoding.DecodeString(fromDash(text))
		if err != nil {
			return binding{}, nil, none, errMetadata
		}
		parts[i] = raw
	}
	if len(f) == 6 {
		if _, err := parseMark(f[5]); err != nil || f[5] == "" {
			return binding{}, nil, none, errMetadata
		}
	}
	marks, err := offsets.Decode(parts[0])
	if err != nil {
		return binding{}, nil, none, err
	}
	list, err := decodeUnfinished(parts[1], offset)
	if err != nil {
		return binding{}, nil, none, err
	}
	return b, marks, list, nil
}

// withMark adds the mark of what is begun to the metadata of a binding alone.
func withMark(metadata string, k mark) string {
	if text := k.String(); text != "" {
		return metadata + " - - " + text
	}
	return metadata
}

// markIn returns the mark in metadata; one that is damaged counts as none.
func markIn(metadata string) mark {
	f := strings.Split(metadata, " ")
	if len(f) < 6 {
		return unmarked
	}
	k, err := parseMark(f[5])
	if err != nil {
		return unmarked
	}
	return k
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func fromDash(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

// Binding returns the metadata of a commit that carries no marks, for offsets
// that are committed from outside the group.
func Binding(cluster, topicID string) string { return binding{cluster, topicID}.encode(nil, nil) }

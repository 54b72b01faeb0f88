package consume

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/algotrade/notifier/internal/repeat"
)

// Every commit carries metadata that binds it to the cluster and the topic it
// was made for, so that offsets copied by a mirroring tool, or left by a topic
// that was deleted and made again, are recognised. The format is
//
//	notifier/1 <cluster id> <topic id> [<base64 of the repeat filter's marks>]
//
// A broker takes 4,096 characters by default (offset.metadata.max.bytes).
const (
	metadataVersion = "notifier/1"
	metadataLimit   = 4000
)

// binding names the log that an offset belongs to.
type binding struct{ cluster, topicID string }

func (b binding) encode(marks *repeat.Marks) string {
	text := metadataVersion + " " + orDash(b.cluster) + " " + orDash(b.topicID)
	if marks == nil {
		return text
	}
	limit := base64.RawStdEncoding.DecodedLen(metadataLimit - len(text) - 1)
	raw := marks.Append(nil, limit)
	if len(raw) == 0 {
		return text
	}
	return text + " " + base64.RawStdEncoding.EncodeToString(raw)
}

var errMetadata = errors.New("commit metadata is not ours")

func decodeMetadata(text string) (binding, *repeat.Marks, error) {
	f := strings.Split(text, " ")
	if len(f) < 3 || len(f) > 4 || f[0] != metadataVersion {
		return binding{}, nil, errMetadata
	}
	b := binding{cluster: fromDash(f[1]), topicID: fromDash(f[2])}
	if len(f) == 3 {
		return b, &repeat.Marks{}, nil
	}
	raw, err := base64.RawStdEncoding.DecodeString(f[3])
	if err != nil {
		return binding{}, nil, errMetadata
	}
	marks, err := repeat.Decode(raw)
	if err != nil {
		return binding{}, nil, err
	}
	return b, marks, nil
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
func Binding(cluster, topicID string) string { return binding{cluster, topicID}.encode(nil) }

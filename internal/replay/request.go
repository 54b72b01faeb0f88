package replay

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/topics"
)

// Request asks the daemon to replay one version of one entry. It is a
// record of the group's replay topic and holds no payload, unless that was
// edited.
type Request struct {
	Entry   string      // the entry's id
	Source  topics.Name // the entry's source topic, hence the topic it stands in
	Version int64       // the offset at which the entry was read there
	// Channel is where it is to go: the entry's own or another; empty for a
	// record whose rules are yet to say.
	Channel string
	Rematch bool // through the rules again, instead of the alert as it was raised
	To      bool // Channel is not the entry's own: it was asked for
	Force   bool // also when it is quarantined
	By      string
	Comment string
	// Run names the command that asked, Total how many requests it makes.
	Run   string
	Total int
	// Edited replaces the entry's value; nil: it is as it came.
	Edited []byte
}

const (
	hRequestEntry   = "notifier.entry"
	hRequestVersion = "notifier.entry-version"
	hRequestSource  = "notifier.source-topic"
	hRequestChannel = "notifier.channel"
	hRequestOptions = "notifier.options"
	hRequestRun     = "notifier.run"
	hRequestBy      = "notifier.by"
	hRequestComment = "notifier.comment"
	hRequestEdited  = "notifier.edited-by"
)

// Record returns the request as it is written to the group's replay topic.
func (q *Request) Record(group string) *kgo.Record {
	r := &kgo.Record{Topic: topics.Replay(group), Key: []byte(q.Entry), Value: q.Edited}
	add := func(name, value string) {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	add(hRequestEntry, q.Entry)
	add(hRequestSource, string(q.Source))
	add(hRequestVersion, strconv.FormatInt(q.Version, 10))
	add(hRequestChannel, q.Channel)
	add(hRequestOptions, strings.Join(q.options(), ","))
	add(hRequestBy, q.By)
	if q.Comment != "" {
		add(hRequestComment, q.Comment)
	}
	add(hRequestRun, fmt.Sprintf("%s/%d", q.Run, q.Total))
	if q.Edited != nil {
		add(hRequestEdited, q.By)
	}
	return r
}

func (q *Request) options() []string {
	var names []string
	if q.Rematch {
		names = append(names, "rematch")
	}
	if q.To {
		names = append(names, "to")
	}
	if q.Force {
		names = append(names, "force")
	}
	return names
}

var errNoRequest = errors.New("not a request to replay a dead letter")

// ParseRequest reads what Record wrote. The request shares memory with the
// record only in Edited.
func ParseRequest(r *kgo.Record) (Request, error) {
	q := Request{Version: -1}
	edited := false
	for _, h := range r.Headers {
		v := string(h.Value)
		switch h.Key {
		case hRequestEntry:
			q.Entry = v
		case hRequestSource:
			name, err := topics.Parse(v)
			if err != nil {
				return q, fmt.Errorf("%w: %w", errNoRequest, err)
			}
			q.Source = name
		case hRequestVersion:
			n, err := strconv.ParseInt(v, 10, 64)
			if err != nil {
				return q, fmt.Errorf("%w: header %s is not a number", errNoRequest, h.Key)
			}
			q.Version = n
		case hRequestChannel:
			q.Channel = v
		case hRequestOptions:
			for o := range strings.SplitSeq(v, ",") {
				switch o {
				case "rematch":
					q.Rematch = true
				case "to":
					q.To = true
				case "force":
					q.Force = true
				}
			}
		case hRequestBy:
			q.By = envelope.UserName(v)
		case hRequestComment:
			q.Comment = dlq.Clean(v)
		case hRequestRun:
			run, total, _ := strings.Cut(v, "/")
			q.Run = envelope.UserName(run)
			q.Total, _ = strconv.Atoi(total)
		case hRequestEdited:
			edited = true
		}
	}
	if !envelope.IsID(q.Entry) || q.Channel != "" && !envelope.IsID(q.Channel) || q.Source == "" || q.Version < 0 {
		return q, errNoRequest
	}
	if edited {
		q.Edited = append([]byte{}, r.Value...)
	}
	return q, nil
}

// NewRun returns a name for a run of the replay command: rp_ and the time.
func NewRun(now time.Time) string { return "rp_" + now.UTC().Format("20060102T150405.000") }

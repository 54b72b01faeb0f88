package replay

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/topics"
)

// Request asks the daemon to replay one version of one entry. It is a record of the
// group's replay topic, without a payload unless that was edited.
type Request struct {
	Entry   string      // the entry's id
	Source  topics.Name // the entry's source topic, which determines its dead-letter topic
	Version int64       // the offset at which the entry was read there
	// Channel is the destination: the entry's own or another; empty: the rules decide.
	Channel string
	Rematch bool // through the rules again, instead of the alert as it was raised
	To      bool // Channel is not the entry's own
	Force   bool // also if it is quarantined
	By      string
	Comment string
	// Run names the run of the command, Total is how many requests it makes.
	Run   string
	Total int
	// Edited replaces the entry's value; nil: it does not.
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
	var options []string
	for _, o := range requestOptions {
		if *o.of(q) {
			options = append(options, o.name)
		}
	}
	add(hRequestOptions, strings.Join(options, ","))
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

var requestOptions = []struct {
	name string
	of   func(*Request) *bool
}{
	{"rematch", func(q *Request) *bool { return &q.Rematch }},
	{"to", func(q *Request) *bool { return &q.To }},
	{"force", func(q *Request) *bool { return &q.Force }},
}

var errNoRequest = errors.New("not a request to replay a dead letter")

// ParseRequest reads what Record wrote. The request shares no memory with the record.
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
			options := strings.Split(v, ",")
			for _, o := range requestOptions {
				*o.of(&q) = slices.Contains(options, o.name)
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

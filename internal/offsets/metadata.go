package offsets

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
)

// Metadata is the text that every commit carries. It binds the offset to the
// cluster and the topic it was made for, so that offsets copied by a mirroring
// tool, or left by a topic that was deleted and created again, are recognised.
// The format is
//
//	notifier/2 <cluster id> <topic id> [<dedup> [<gaps> [<crash mark> [<begin> [<tried>]]]]]
//
// with dedup state, gaps and tried in base64, "-" for none; begin may be followed by
// "~" and Again. A broker takes 4,096 characters by default
// (offset.metadata.max.bytes).
type Metadata struct {
	Cluster, TopicID string
	Dedup            *Dedup    // as of the committed offset; nil: none
	Gaps             Gaps      // above it
	Crash            CrashMark // of the owner's present records
	Begin            int64     // from here up to the committed offset nothing was passed over: see Input
	Again            int64     // when a person had all events evaluated again, as Unix time; 0: never
	// Tried is what was done for unsettled records, by their offsets.
	Tried map[int64]Tried
}

const (
	metadataVersion = "notifier/2"
	metadataLimit   = 4000
	// gapsLimit is what the gaps may take, in bytes; the dedup state gets the
	// rest. MaxGaps runs always fit: two or three bytes each, where offsets follow
	// each other as closely as in a window of 4,096 records.
	gapsLimit = 2400
)

// Encode returns the metadata of a commit of this offset, at most 4,000
// characters. What does not fit of dedup state and gaps is left out: the next
// owner then sends a delivery again at most.
func (m Metadata) Encode(committed int64) string {
	text := m.binding()
	above := base64.RawStdEncoding.EncodeToString(m.Gaps.encode(nil, committed, gapsLimit))
	crash, begin := m.Crash.String(), ""
	if m.Begin > 0 || m.Again > 0 {
		begin = again(strconv.FormatInt(m.Begin, 10), m.Again)
	}
	left := metadataLimit - len(text) - len(above) - len(crash) - len(begin) - len(" - - - - ")
	room := base64.RawStdEncoding.DecodedLen(left)
	var dedup []byte
	if m.Dedup != nil {
		dedup = m.Dedup.Append(nil, room-len(encodeTried(nil, m.Tried, committed, triedLimit))-2)
	}
	tried := encodeTried(nil, m.Tried, committed, room-len(dedup)-2)
	fields := []string{base64.RawStdEncoding.EncodeToString(dedup), above, crash, begin, base64.RawStdEncoding.EncodeToString(tried)}
	for len(fields) > 0 && fields[len(fields)-1] == "" {
		fields = fields[:len(fields)-1]
	}
	for _, f := range fields {
		text += " " + orDash(f)
	}
	return text
}

func (m Metadata) binding() string {
	return metadataVersion + " " + orDash(m.Cluster) + " " + orDash(m.TopicID)
}

// Binding returns the metadata that only binds an offset to a topic, for offsets
// that are committed from outside the group, and where brokers refuse more.
func Binding(cluster, topicID string) string {
	return BindingFrom(cluster, topicID, 0)
}

// BindingFrom is Binding for an offset up to which nothing was passed over since
// begin.
func BindingFrom(cluster, topicID string, begin int64) string {
	return Metadata{Cluster: cluster, TopicID: topicID, Gaps: NoGaps, Begin: begin}.Encode(0)
}

// again appends when all events were evaluated again to a text; 0: never.
func again(text string, at int64) string {
	if at == 0 {
		return text
	}
	return text + "~" + strconv.FormatInt(at, 10)
}

var errMetadata = errors.New("commit metadata was not written by notifier")

// DecodeMetadata reads the metadata that was committed with an offset. Text of
// other programs and of other versions is an error.
func DecodeMetadata(text string, committed int64) (Metadata, error) {
	f := strings.Split(text, " ")
	if len(f) < 3 || len(f) > 8 || f[0] != metadataVersion {
		return Metadata{Gaps: NoGaps}, errMetadata
	}
	m := Metadata{Cluster: fromDash(f[1]), TopicID: fromDash(f[2]), Crash: Unmarked}
	var raw [2][]byte
	var errs [8]error
	for i, text := range f[3:min(len(f), 5)] {
		raw[i], errs[i] = base64.RawStdEncoding.DecodeString(fromDash(text))
	}
	if len(f) > 5 && (len(f) == 6 || f[5] != "-") {
		if m.Crash, errs[2] = parseCrashMark(f[5]); f[5] == "" {
			errs[2] = errCrashMark
		}
	}
	if len(f) == 7 || len(f) > 7 && f[6] != "-" {
		begin, at, found := strings.Cut(f[6], "~")
		m.Begin, errs[4] = strconv.ParseInt(begin, 10, 64)
		if found {
			m.Again, errs[5] = strconv.ParseInt(at, 10, 64)
		}
	}
	if len(f) == 8 {
		var list []byte
		list, errs[6] = base64.RawStdEncoding.DecodeString(f[7])
		m.Tried, errs[7] = decodeTried(list, committed)
	}
	if m.Dedup, errs[3] = Decode(raw[0]); errors.Join(errs[:]...) != nil {
		return Metadata{Gaps: NoGaps}, errMetadata
	}
	var err error
	if m.Gaps, err = decodeGaps(raw[1], committed); err != nil {
		return Metadata{Gaps: NoGaps}, err
	}
	return m, nil
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

package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kgo"
)

// class is one kind of hostile record.
type class struct {
	name, what string
	every      time.Duration // between its shots
	may        fate          // what may become of each record
	channels   []string      // that its alert goes to, where it raises one
	codec      codec         // of the record's batch
	together   bool          // its records become readable at once: one transaction
	// records returns those of shot n, without topic and partition; all go into
	// one partition.
	records func(random *rand.Rand, n int) []*kgo.Record
}

// codec is how a batch is compressed.
type codec string

const (
	none   codec = "none"
	gzipC  codec = "gzip"
	snappy codec = "snappy"
	lz4    codec = "lz4"
	zstdC  codec = "zstd"
)

func codecs() []codec { return []codec{none, gzipC, snappy, lz4, zstdC} }

func (c codec) option() kgo.CompressionCodec {
	switch c {
	case gzipC:
		return kgo.GzipCompression()
	case snappy:
		return kgo.SnappyCompression()
	case lz4:
		return kgo.Lz4Compression()
	case zstdC:
		return kgo.ZstdCompression()
	}
	return kgo.NoCompression()
}

// unpacked is the most that a compressed value may unpack to.
const unpacked = 8 << 20

// one is a class's only record in each shot.
func one(value func(random *rand.Rand, n int) []byte) func(*rand.Rand, int) []*kgo.Record {
	return func(random *rand.Rand, n int) []*kgo.Record { return []*kgo.Record{{Value: value(random, n)}} }
}

// wildEvent is an event that raises an alert for wild and mail; more members
// follow, as JSON.
func wildEvent(n int, more string) []byte {
	return fmt.Appendf(nil, `{"alert":"wild","event_type":"order.rejected","k":"w%d","n":%d%s}`, n%50, n, more)
}

func gzipped(value []byte) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	_, _ = z.Write(value)
	_ = z.Close()
	return b.Bytes()
}

func zstded(value []byte) []byte {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err) // no option is wrong
	}
	return z.EncodeAll(value, nil)
}

// quoted is a text as JSON, without the escapes that only HTML asks for.
func quoted(text string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(text); err != nil {
		panic(err) // a text always can be
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// hidden are characters that a terminal obeys or that reorder what is read.
const hidden = "\x1b[2J\x1b]0;owned\x07\u009b31m\u202e\u2066evil\u2069\u200b\u0085\r\n\x00\u2028"

// allClasses are the classes of records, in the order of the report.
func allClasses() []*class {
	alerted := []string{chWild, chMail}
	sized := raises | dies // bounded, or a dead letter
	list := []*class{
		{
			name: "huge-id", what: "an event_id of 2 MB, as a gzip of 2 KB", every: 2 * time.Second, may: sized, channels: alerted,
			records: one(func(_ *rand.Rand, n int) []byte {
				return gzipped(wildEvent(n, `,"event_id":"`+strings.Repeat("i", 2<<20)+`"`))
			}),
		},
		{
			name: "huge-type", what: "an event_type of 300 KB", every: 3 * time.Second, may: sized, channels: alerted,
			records: one(func(_ *rand.Rand, n int) []byte {
				return fmt.Appendf(nil, `{"alert":"wild","event_type":%q,"k":"t"}`, strings.Repeat("t", 300_000+n%1000))
			}),
		},
		{
			name: "huge-text", what: "300 KB of < in each text", every: 2 * time.Second, may: sized, channels: alerted,
			records: one(func(_ *rand.Rand, n int) []byte {
				text := quoted(strings.Repeat("<", 100_000))
				return wildEvent(n, `,"reason":`+text+`,"text":`+text+`,"symbol":`+text)
			}),
		},
		{
			name: "huge-number", what: "a number of 300,000 digits", every: 3 * time.Second, may: sized, channels: alerted,
			records: one(func(_ *rand.Rand, n int) []byte { return wildEvent(n, `,"price":1`+strings.Repeat("0", 300_000)) }),
		},
		{
			name: "huge-key", what: "record keys and alert keys of 400 KB", every: 3 * time.Second, may: sized, channels: alerted,
			records: func(_ *rand.Rand, n int) []*kgo.Record {
				r := &kgo.Record{Key: bytes.Repeat([]byte("k"), 400_000), Value: wildEvent(n, `,"symbol":"`+strings.Repeat("s", 400_000)+`"`)}
				return []*kgo.Record{r}
			},
		},
		{
			name: "huge-header", what: "1,000 headers, and one of 900 KB", every: 3 * time.Second, may: sized, channels: alerted, records: headered,
		},
		{
			name: "huge-list", what: "a list of 2 MB, joined into a text", every: 3 * time.Second, may: sized, channels: alerted,
			records: one(func(_ *rand.Rand, n int) []byte {
				return gzipped(wildEvent(n, `,"list":[`+times(`"listed"`, 200_000)+`]`))
			}),
		},
		{
			name: "zeros", what: `{"positions":[0,0,…]}: 8 MiB as a gzip of 8 KB`, every: 4 * time.Second, may: dies | quiet,
			records: one(func(*rand.Rand, int) []byte { return packedZeros() }),
		},
		{
			name: "objects", what: `[{},{},…] and {"":0,"":0,…}: 8 MiB as a gzip`, every: 6 * time.Second, may: dies | quiet,
			records: one(func(_ *rand.Rand, n int) []byte {
				if n%2 == 0 {
					return packedObjects()
				}
				return packedMembers()
			}),
		},
		{
			name: "budget", what: "lists of 100,000 that a rule compares with each other", every: 10 * time.Second, may: dies | quiet | raises, channels: alerted,
			records: one(func(*rand.Rand, int) []byte { return packedProduct() }),
		},
		{
			name: "no-event", what: "what is no event: cut, deep, pickled, framed, bombs", every: time.Second, may: dies | quiet, channels: alerted, records: noEvent,
		},
		{
			name: "hidden", what: "escape sequences, C1 and bidirectional controls anywhere", every: time.Second, may: sized, channels: alerted, records: controls,
		},
		{
			name: "times", what: "times in seconds, far ahead, beyond all calendars", every: time.Second, may: sized, channels: alerted, records: oddTimes,
		},
		{
			name: "refused", what: "26 contents of one rule that a receiver refuses", every: 15 * time.Second, may: dies | raises, channels: []string{chPicky},
			records: func(_ *rand.Rand, n int) []*kgo.Record {
				var list []*kgo.Record
				for i := range 26 {
					list = append(list, &kgo.Record{Value: fmt.Appendf(nil, `{"alert":"refused","n":%d}`, 26*n+i)})
				}
				return list
			},
		},
	}
	for _, c := range codecs()[1:] {
		list = append(list, batches(c))
	}
	for _, channel := range hostileChannels() {
		every := 3 * time.Second
		if channel == chOddChat {
			every = 8 * time.Second // a paced channel: its pending alerts are sent at 1/s
		}
		list = append(list, &class{
			name: channel, every: every, may: raises | dies, channels: []string{channel}, what: "an alert for a peer that harms",
			records: func(_ *rand.Rand, n int) []*kgo.Record {
				return []*kgo.Record{{Value: fmt.Appendf(nil, `{"alert":%q,"n":%d}`, channel, n)}}
			},
		})
	}
	return list
}

// The large ones are packed once.
var (
	packedZeros   = sync.OnceValue(func() []byte { return gzipped(zeros(unpacked)) })
	packedObjects = sync.OnceValue(func() []byte { return gzipped([]byte(`{"positions":[` + times("{}", unpacked/3-10) + `]}`)) })
	packedMembers = sync.OnceValue(func() []byte { return gzipped([]byte("{" + times(`"":0`, unpacked/5-10) + "}")) })
	packedSpaces  = sync.OnceValue(func() []byte { return gzipped(bytes.Repeat([]byte(" "), 64<<20)) })
	zstdSpaces    = sync.OnceValue(func() []byte { return zstded(bytes.Repeat([]byte(" "), 64<<20)) })
	packedProduct = sync.OnceValue(func() []byte {
		return gzipped([]byte(`{"a":[` + times(`{"x":1}`, 100_000) + `],"b":[` + times(`"zzzz"`, 100_000) + `]}`))
	})
)

// times is so many of the same, with commas between them.
func times(element string, n int) string { return strings.Repeat(element+",", n-1) + element }

func zeros(size int) []byte {
	const head, tail = `{"positions":[0`, `]}`
	return slices.Concat([]byte(head), bytes.Repeat([]byte(",0"), (size-len(head)-len(tail))/2), []byte(tail))
}

// batches are those that unpack to many times their size, readable at once:
// each is within what a client unpacks, all of one fetch are far beyond what
// the daemon may hold.
func batches(c codec) *class {
	count, size := 81, 8<<20
	if c == snappy || c == lz4 { // they pack less, and a topic takes 1 MiB
		count, size = 40, 4<<20
	}
	return &class{
		name: "batches-" + string(c), what: fmt.Sprintf("%d batches that unpack to %d MiB each", count, size>>20),
		every: 40 * time.Second, may: dies | quiet, codec: c, together: true,
		records: func(*rand.Rand, int) []*kgo.Record {
			value := []byte(`{"alert":"none","pad":"` + strings.Repeat(" ", size-64) + `"}`)
			list := make([]*kgo.Record, count)
			for i := range list {
				list[i] = &kgo.Record{Value: value}
			}
			return list
		},
	}
}

func headered(random *rand.Rand, n int) []*kgo.Record {
	r := &kgo.Record{Value: wildEvent(n, "")}
	add := func(name string, value []byte) {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: value})
	}
	switch random.IntN(4) {
	case 0:
		for i := range 1000 {
			add(fmt.Sprint("h", i), bytes.Repeat([]byte("v"), 100))
		}
	case 1:
		add("huge", bytes.Repeat([]byte("h"), 900_000))
	case 2:
		add("traceparent", bytes.Repeat([]byte("00-"), 100_000))
		add("tracestate", []byte(hidden))
		add("content-type", bytes.Repeat([]byte("application/json;"), 20_000))
	case 3:
		for _, name := range []string{"notifier.version", "notifier.alert", "notifier.original-headers", "notifier.value", "notifier.checksum", "notifier.state"} {
			add(name, []byte(hidden))
		}
		add(strings.Repeat("name", 50_000), nil)
	}
	return []*kgo.Record{r}
}

func noEvent(random *rand.Rand, n int) []*kgo.Record {
	good := wildEvent(n, "")
	kinds := [][]byte{
		good[:len(good)/2], []byte(strings.Repeat("[", 100_000)), []byte(strings.Repeat(`{"a":`, 60_000)),
		[]byte("\x80\x04\x95pickle"), []byte("\x00\x00\x00\x00\x01\x02avro"), []byte("not json"), []byte(`"text"`), []byte("[1,2]"), []byte("null"),
		{},
		nil, append(slices.Clone(good), " trailing"...), append(slices.Clone(good[:len(good)-1]), "\xff\xfe}"...),
		gzipped(good)[:20], packedSpaces(), zstdSpaces(), gzipped(gzipped(good)),
		[]byte(quoted(quoted(quoted(string(good))))), []byte(`{"a":"\ud800"}`), []byte(`{"\u0000":NaN}`),
	}
	r := &kgo.Record{Value: kinds[n%len(kinds)]}
	if random.IntN(4) == 0 {
		r.Headers = []kgo.RecordHeader{{Key: "content-type", Value: []byte("application/cloudevents+json")}}
	}
	return []*kgo.Record{r}
}

func controls(_ *rand.Rand, n int) []*kgo.Record {
	h := quoted(hidden)
	r := &kgo.Record{Key: []byte(hidden), Headers: []kgo.RecordHeader{{Key: hidden, Value: []byte(hidden)}}}
	r.Value = fmt.Appendf(nil, `{"alert":"wild","event_type":%[1]s,"event_id":%[1]s,"k":%[1]s,"reason":%[1]s,"text":%[1]s,"symbol":%[1]s,"account_id":%[1]s,"who":%[1]s,%[1]s:%[1]s,"n":%[2]d}`, h, n)
	return []*kgo.Record{r}
}

func oddTimes(_ *rand.Rand, n int) []*kgo.Record {
	now := time.Now()
	all := []string{
		fmt.Sprint(now.Unix()), fmt.Sprint(now.UnixMilli()), fmt.Sprint(now.UnixNano()), quoted(fmt.Sprint(now.Unix())), "0", "-1", "1e300", "-1e300", "1e999999",
		`"9999-12-31T23:59:59-23:00"`, `"0001-01-01T00:00:00Z"`, `"+292278994-08-17T07:12:55Z"`, `"2106-02-07T06:28:15Z"`, fmt.Sprint(int64(1) << 62), `{"a":1}`, `"soon"`, "null",
		quoted(now.AddDate(80, 0, 0).Format(time.RFC3339)), quoted("2026-02-30T25:61:61Z"),
	}
	r := &kgo.Record{Value: wildEvent(n, `,"occurred_at":`+all[n%len(all)])}
	switch n % 3 {
	case 1:
		r.Timestamp = time.UnixMilli(now.Unix()) // seconds where milliseconds belong: in January 1970
	case 2:
		r.Timestamp = now.Add(50 * time.Minute) // brokers take an hour ahead
	}
	return []*kgo.Record{r}
}

package produce

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/devbroker"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// desk is a broker with a source topic and a client.
type desk struct {
	t      *testing.T
	client *kgo.Client
}

func newDesk(t *testing.T, opts ...kgo.Opt) desk {
	t.Helper()
	b, err := devbroker.Start(t.Context(), devbroker.Config{Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	if _, err := b.CreateTopics(devbroker.Topic{Name: string(topics.TradeExecutions), Partitions: 6}); err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(b.Addr()), kgo.ConsumeTopics(string(topics.TradeExecutions)))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return desk{t, cl}
}

// run calls Run with the common parameters.
func (d desk) run(p Params) (Result, error) {
	p.Client, p.Topic = d.client, topics.TradeExecutions
	p.Decode = decode
	return Run(d.t.Context(), p)
}

// read returns the next n records.
func (d desk) read(n int) (records []*kgo.Record) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), 20*time.Second)
	defer cancel()
	for len(records) < n {
		fetches := d.client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			d.t.Fatalf("%v after %d records", err, len(records))
		}
		records = append(records, fetches.Records()...)
	}
	return records
}

func TestDocumentsAreSentUnchangedKeyedBySession(t *testing.T) {
	d := newDesk(t)
	in := `{"session_id":"ses-1","price": 0.10}` + "\r\n\n" + `{"session_id": 9007199254740993}` + "\n" + `{"n":3}`
	result, err := d.run(Params{Lines: strings.NewReader(in)})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		`{"session_id":"ses-1","price": 0.10}` + "\r": "ses-1",
		`{"session_id": 9007199254740993}`:            "9007199254740993",
		`{"n":3}`:                                     "none",
	}
	size := 0
	for _, r := range d.read(3) {
		key := string(r.Key)
		if r.Key == nil {
			key = "none"
		}
		if want[string(r.Value)] != key {
			t.Errorf("%q has key %q, want %q", r.Value, key, want[string(r.Value)])
		}
		size += len(r.Value)
	}
	if result.Sent != 3 || int(result.Bytes) != size {
		t.Errorf("result %+v, want 3 of %d bytes", result, size)
	}
}

func TestKeyOptionReplacesSession(t *testing.T) {
	d := newDesk(t)
	for _, key := range []string{"mine", ""} {
		if _, err := d.run(Params{Lines: strings.NewReader(`{"session_id":"ses-1"}`), Key: &key}); err != nil {
			t.Fatal(err)
		}
		if r := d.read(1)[0]; r.Key == nil || string(r.Key) != key {
			t.Errorf("the key is %q, want %q", r.Key, key)
		}
	}
}

func TestRunStopsAtFirstRefusedLine(t *testing.T) {
	d := newDesk(t)
	in := `{"n":1}` + "\n\n" + `{"n":2}` + "\n" + `{"n":` + "\n" + `{"n":4}`
	result, err := d.run(Params{Lines: strings.NewReader(in)})
	if err == nil || err.Error() != "line 4: not JSON at byte 5 (truncated) (2 sent before)" {
		t.Errorf("got %v, want line 4, the cause and the count", err)
	}
	if result.Sent != 2 {
		t.Errorf("%d sent, want the 2 before it", result.Sent)
	}
	if _, err := d.run(Params{Lines: strings.NewReader(`{"n":"last"}`)}); err != nil {
		t.Fatal(err)
	}
	for _, r := range d.read(3) {
		if strings.Contains(string(r.Value), "4") {
			t.Errorf("%s was sent", r.Value)
		}
	}
}

func TestKeepGoingSkipsAndReportsRefusedDocuments(t *testing.T) {
	d := newDesk(t, kgo.ProducerBatchMaxBytes(2000), kgo.ProducerBatchCompression(kgo.NoCompression()))
	in := `{"n":1}` + "\n" + `{"price": NaN}` + "\n" + `[{"n":3}]` + "\n{\n" + `{"n":"` + strings.Repeat("x", 5000) + `"}` + "\n \r\n" + `"{\"n\":7}"` + "\n\xef\xbb\xbf{}\n" + `{"n":9}`
	var reported []string
	result, err := d.run(Params{Lines: strings.NewReader(in), KeepGoing: true, Report: func(text string) error {
		reported = append(reported, text)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"line 2: NaN at byte 10 (the notifier repairs it, other consumers do not)",
		"line 3: an event is a JSON object, found an array; 'jq -c .[]' writes one element per line",
		"line 4: not JSON at byte 1 (truncated); if the document spans several lines, 'jq -c .' writes it on one line",
		"line 5: 5008 bytes are larger than max.message.bytes of topic trade-executions",
		"line 7: the document is encoded twice: it is a JSON string (the notifier repairs it, other consumers do not)",
		"line 8: begins with a byte order mark: write UTF-8 without it (the notifier repairs it, other consumers do not)",
	}
	slices.Sort(reported) // rejections by the broker come later
	if !slices.Equal(reported, want) {
		t.Errorf("reported\n%s\nwant\n%s", strings.Join(reported, "\n"), strings.Join(want, "\n"))
	}
	if want := (Result{Sent: 2, Bytes: 14, Refused: 6, Line: 9}); result != want {
		t.Errorf("result %+v, want %+v", result, want)
	}
	sent := map[string]bool{}
	for _, r := range d.read(2) {
		sent[string(r.Value)] = true
	}
	if !sent[`{"n":1}`] || !sent[`{"n":9}`] {
		t.Errorf("sent %v", sent)
	}
}

func TestUnknownTypeIsReportedOnce(t *testing.T) {
	d := newDesk(t)
	var reported []string
	types := map[string]topics.Name{"order.rejected": topics.TradeExecutions, "margin.call": topics.PortfolioUpdates}
	in := `{"event_type":"order.rejectd"}` + "\n{}\n" + `{"event_type":"order.rejected"}` + "\n" + `{"event_type":"order.rejectd"}` + "\n" +
		`{"event_type":"margin.call"}` + "\n" + `{"event_type":"lunch"}`
	result, err := d.run(Params{Lines: strings.NewReader(in), Types: types, Report: func(text string) error {
		reported = append(reported, text)
		return nil
	}})
	want := []string{
		`line 1: warning: an event of type "order.rejectd": did you mean order.rejected?`,
		`line 5: warning: an event of type "margin.call" belongs to topic portfolio-updates`,
		`line 6: warning: an event of type "lunch" is in no sample of trade-executions`,
	}
	if err != nil || result.Sent != 6 || !slices.Equal(reported, want) {
		t.Errorf("%+v, %v, reported\n%s", result, err, strings.Join(reported, "\n"))
	}
}

func TestTextOfPythonObjectIsReportedOnce(t *testing.T) {
	var reported []string
	in := `{"order":"LimitOrder(action='BUY', lmtPrice=189.5)","reason":"no price (yet)"}` + "\n" + `{"order":"LimitOrder(action='BUY')","side":"<OrderSide.BUY: 1>"}`
	result, err := Run(t.Context(), Params{Topic: topics.TradeExecutions, Lines: strings.NewReader(in), Decode: decode, Report: func(text string) error {
		reported = append(reported, text)
		return nil
	}})
	want := []string{
		"line 1: warning: order is the text of a Python object (repr): send the object's dict",
		"line 2: warning: side is the text of a Python object (repr): send the object's dict",
	}
	if err != nil || result.Sent != 2 || !slices.Equal(reported, want) {
		t.Errorf("%+v, %v, reported\n%s", result, err, strings.Join(reported, "\n"))
	}
}

func TestRunStopsWhenReportFails(t *testing.T) {
	d := newDesk(t)
	gone := errors.New("broken pipe")
	result, err := d.run(Params{Lines: strings.NewReader("{}\n[]\n{}\n"), KeepGoing: true, Report: func(string) error { return gone }})
	if !errors.Is(err, gone) || result.Sent != 1 {
		t.Errorf("%+v, %v", result, err)
	}
}

// TestCancelDoesNotWaitForInput: the writer of the pipe is idle, as with tail -f.
func TestCancelDoesNotWaitForInput(t *testing.T) {
	d := newDesk(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	in, out := io.Pipe()
	defer out.Close()
	stopped := errors.New("interrupted")
	go func() {
		_, _ = out.Write([]byte("{}\n{}\n{\"n\":"))
		d.read(2)
		cancel(stopped)
	}()
	result, err := Run(ctx, Params{Client: d.client, Topic: topics.TradeExecutions, Lines: in, Decode: decode})
	if !errors.Is(err, stopped) || !strings.HasSuffix(err.Error(), "(2 sent before, up to line 2)") {
		t.Errorf("got %v", err)
	}
	if want := (Result{Sent: 2, Bytes: 4, Line: 2}); result != want {
		t.Errorf("result %+v, want %+v", result, want)
	}
}

// endless is endless input.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, "{    }\n"), nil }

// TestUnacknowledgedRecordsAreBounded: unacknowledged records are
// bounded, and the error of a cancelled run counts them.
func TestUnacknowledgedRecordsAreBounded(t *testing.T) {
	wire := testkafka.NewWire((&net.Dialer{}).DialContext)
	d := newDesk(t, kgo.Dialer(wire.Dial))
	if _, err := d.run(Params{Lines: strings.NewReader("{}")}); err != nil {
		t.Fatal(err)
	}
	wire.Freeze()
	defer wire.Restore()
	defer func(d time.Duration) { drainFor = d }(drainFor)
	drainFor = 50 * time.Millisecond
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("interrupted")
	decoded := 0
	result, err := Run(ctx, Params{Client: d.client, Topic: topics.TradeExecutions, Lines: endless{}, Decode: func(r event.Record) (event.Event, error) {
		if decoded++; decoded > window { // the window is full
			cancel(stopped)
		}
		return decode(r)
	}})
	if want := (Result{Unacknowledged: window, Line: window}); result != want || !errors.Is(err, stopped) {
		t.Errorf("result %+v, want %+v; %v", result, want, err)
	}
	if want := "(0 sent before, up to line 4096, 4096 not acknowledged, which may have been written)"; !strings.HasSuffix(fmt.Sprint(err), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestRawSendsEveryLineUnchanged(t *testing.T) {
	d := newDesk(t)
	if _, err := d.run(Params{Lines: strings.NewReader("\x80\x04\x95\n\n{\"n\":"), Raw: true}); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, r := range d.read(3) {
		got[string(r.Value)] = true
		if r.Key != nil {
			t.Errorf("%q has key %q", r.Value, r.Key)
		}
	}
	for _, want := range []string{"\x80\x04\x95", "", `{"n":`} {
		if !got[want] {
			t.Errorf("%q was not sent", want)
		}
	}
}

func TestCountRepeatsTheInput(t *testing.T) {
	d := newDesk(t)
	const in = "{\"n\":1}\n{\"n\":2}\n"
	for name, lines := range map[string]io.Reader{"rewound": strings.NewReader(in), "kept": &failing{data: []byte(in), err: io.EOF}} {
		result, err := d.run(Params{Lines: lines, Count: 3})
		if want := (Result{Sent: 6, Bytes: 42, Line: 2}); err != nil || result != want {
			t.Fatalf("%s: %+v, %v, want %+v", name, result, err, want)
		}
		counts := map[string]int{}
		for _, r := range d.read(6) {
			counts[string(r.Value)]++
		}
		if counts[`{"n":1}`] != 3 || counts[`{"n":2}`] != 3 {
			t.Errorf("%s: sent %v", name, counts)
		}
	}
}

func TestKeptInputIsBounded(t *testing.T) {
	d := newDesk(t)
	defer func(n int) { maxKept = n }(maxKept)
	maxKept = 1 << 20
	_, err := d.run(Params{Lines: endless{}, Count: 2})
	if err == nil || !strings.Contains(err.Error(), "more than 1 MiB to repeat: use -f with a file") {
		t.Errorf("got %v", err)
	}
}

const trade = `{
  "event_id": "01KAQ2C7VY3E8M5Z9T4N6R1W0D", "occurred_at": "2020-01-01T00:00:00Z",
  "session_id": "ses-7f3a", "price": 0.10, "nested": {"event_id": "stays"}
}
`

func TestSampleGetsNewIDAndTime(t *testing.T) {
	d := newDesk(t)
	now := time.Date(2026, 11, 23, 15, 31, 5, 0, time.FixedZone("", 3600))
	if _, err := d.run(Params{Sample: []byte(trade), Fields: event.DefaultFields(), Count: 2, Now: func() time.Time { return now }}); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{"01KAQ2C7VY3E8M5Z9T4N6R1W0D": true}
	for _, r := range d.read(2) {
		var doc struct {
			EventID    string `json:"event_id"`
			OccurredAt string `json:"occurred_at"`
		}
		if err := json.Unmarshal(r.Value, &doc); err != nil {
			t.Fatal(err)
		}
		if ids[doc.EventID] || doc.EventID == "" {
			t.Errorf("the id %q is not new", doc.EventID)
		}
		ids[doc.EventID] = true
		if doc.OccurredAt != "2026-11-23T14:31:05.000000Z" || string(r.Key) != "ses-7f3a" {
			t.Errorf("key %s, %s", r.Key, r.Value)
		}
		want := `{"event_id":"` + doc.EventID + `","occurred_at":"` + doc.OccurredAt + `","session_id":"ses-7f3a","price":0.10,"nested":{"event_id":"stays"}}`
		if string(r.Value) != want {
			t.Errorf("sent %s, want %s", r.Value, want)
		}
	}
}

func TestRawSampleIsSentUnchanged(t *testing.T) {
	d := newDesk(t)
	if _, err := d.run(Params{Sample: []byte(trade), Raw: true}); err != nil {
		t.Fatal(err)
	}
	if r := d.read(1)[0]; string(r.Value) != trade {
		t.Errorf("sent %s", r.Value)
	}
}

func TestRejectedRecordStopsRunWithItsLine(t *testing.T) {
	d := newDesk(t, kgo.ProducerBatchMaxBytes(2000), kgo.ProducerBatchCompression(kgo.NoCompression()))
	in := `{"n":1}` + "\n" + `{"n":"` + strings.Repeat("x", 5000) + `"}`
	result, err := d.run(Params{Lines: strings.NewReader(in)})
	if err == nil || !strings.HasPrefix(err.Error(), "line 2: 5008 bytes are larger than max.message.bytes of topic trade-executions") {
		t.Errorf("got %v, want line 2", err)
	}
	if result.Sent > 1 {
		t.Errorf("%d sent", result.Sent)
	}
}

func TestCancelReportsWhatWasSent(t *testing.T) {
	d := newDesk(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	stopped := errors.New("interrupted")
	checked := 0
	result, err := Run(ctx, Params{
		Client: d.client, Topic: topics.TradeExecutions, Sample: []byte(`{"n":1}`), Count: 1 << 30,
		Decode: func(r event.Record) (event.Event, error) {
			if checked++; checked == 100 {
				cancel(stopped)
			}
			return decode(r)
		},
	})
	if !errors.Is(err, stopped) {
		t.Errorf("got %v, want the cause", err)
	}
	if result.Sent > 99 || checked != 100 {
		t.Errorf("%d sent of %d checked", result.Sent, checked)
	}
}

func TestRateLimitsRecords(t *testing.T) {
	for _, perSecond := range []float64{0.5, 10, 20_000} {
		synctest.Test(t, func(t *testing.T) {
			begin, limit := time.Now(), limiter(perSecond)
			n := int(perSecond * 10)
			for range n {
				if err := limit.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if took := time.Since(begin).Seconds(); took < 7.9 || took > 10 {
				t.Errorf("%d records at %v a second took %v s, want about 10", n, perSecond, took)
			}
		})
	}
	if limiter(0) != nil {
		t.Error("rate 0 has a limit")
	}
}

func TestReadErrorHasItsLine(t *testing.T) {
	d := newDesk(t)
	_, err := d.run(Params{Lines: &failing{data: []byte("{}\n{\"n\""), err: errors.New("broken pipe")}})
	if err == nil || !strings.Contains(err.Error(), "read line 2: broken pipe") {
		t.Errorf("got %v", err)
	}
	_, err = d.run(Params{Lines: bytes.NewReader(make([]byte, maxLine+2))})
	if err == nil || !strings.Contains(err.Error(), "read line 1: longer than 16 MiB") {
		t.Errorf("got %v", err)
	}
}

// failing reads data and then err.
type failing struct {
	data []byte
	err  error
}

func (f *failing) Read(p []byte) (int, error) {
	if len(f.data) == 0 {
		return 0, f.err
	}
	n := copy(p, f.data)
	f.data = f.data[n:]
	return n, nil
}

func TestMissingTopicIsNamed(t *testing.T) {
	d := newDesk(t, kgo.UnknownTopicRetries(0))
	_, err := Run(t.Context(), Params{Client: d.client, Topic: topics.PortfolioUpdates, Sample: []byte(`{}`), Decode: decode})
	if want := "topic portfolio-updates does not exist: run 'notifier topics create' (0 sent before)"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func FuzzReplace(f *testing.F) {
	f.Add([]byte(trade))
	f.Add([]byte(`{"event_id":{"event_id":1},"a":[1,{"event_id":2}],"event_id":null}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		out, err := replace(doc, map[string]string{"event_id": "new \"one\""})
		var was, is map[string]any
		if err != nil || json.Unmarshal(doc, &was) != nil || was == nil {
			return // only documents that decode are sent
		}
		if err := json.Unmarshal(out, &is); err != nil {
			t.Fatalf("%s became %s: %v", doc, out, err)
		}
		if _, ok := was["event_id"]; ok {
			was["event_id"] = "new \"one\""
		}
		if fmt.Sprint(was) != fmt.Sprint(is) {
			t.Fatalf("%s became %s", doc, out)
		}
	})
}

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

// desk is a broker with a source topic and a client of it.
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

// run fills in what every test shares.
func (d desk) run(p Params) (Account, error) {
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

func TestDocumentsAreSentAsWrittenWithTheirSessionAsKey(t *testing.T) {
	d := newDesk(t)
	in := `{"session_id":"ses-1","price": 0.10}` + "\r\n\n" + `{"session_id": 9007199254740993}` + "\n" + `{"n":3}`
	account, err := d.run(Params{Lines: strings.NewReader(in)})
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
	if account.Sent != 3 || int(account.Bytes) != size {
		t.Errorf("account %+v, want 3 of %d bytes", account, size)
	}
}

func TestAGivenKeyStandsForTheSession(t *testing.T) {
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

func TestNothingIsSentFromTheFirstBadLineOn(t *testing.T) {
	d := newDesk(t)
	in := `{"n":1}` + "\n\n" + `{"n":2}` + "\n" + `{"n":` + "\n" + `{"n":4}`
	account, err := d.run(Params{Lines: strings.NewReader(in)})
	if err == nil || err.Error() != "line 4: not JSON at byte 5 (truncated) (2 sent before)" {
		t.Errorf("the error is %v, want line 4, the step and the count", err)
	}
	if account.Sent != 2 {
		t.Errorf("%d sent, want the 2 before it", account.Sent)
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

func TestRefusedDocumentsAreLeftOutAndNamedWhenTheRunKeepsGoing(t *testing.T) {
	d := newDesk(t, kgo.ProducerBatchMaxBytes(2000), kgo.ProducerBatchCompression(kgo.NoCompression()))
	in := `{"n":1}` + "\n" + `{"price": NaN}` + "\n" + `[{"n":3}]` + "\n{\n" + `{"n":"` + strings.Repeat("x", 5000) + `"}` + "\n \r\n" + `"{\"n\":7}"` + "\n\xef\xbb\xbf{}\n" + `{"n":9}`
	var said []string
	account, err := d.run(Params{Lines: strings.NewReader(in), KeepGoing: true, Say: func(text string) error {
		said = append(said, text)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"line 2: NaN at byte 10: this notifier would repair it, other readers of the topic will not",
		"line 3: an event is a JSON object, found an array; 'jq -c .[]' writes its elements one a line",
		"line 4: not JSON at byte 1 (truncated); is the document spread over several lines? 'jq -c .' writes it on one",
		"line 5: 5008 bytes are more than topic trade-executions takes in a record (max.message.bytes)",
		"line 7: the document is encoded twice: it is a JSON string: this notifier would repair it, other readers of the topic will not",
		"line 8: begins with a byte order mark, which is no JSON: write UTF-8 without it",
	}
	slices.Sort(said) // what the brokers refuse is known later
	if !slices.Equal(said, want) {
		t.Errorf("it said\n%s\nwant\n%s", strings.Join(said, "\n"), strings.Join(want, "\n"))
	}
	if want := (Account{Sent: 2, Bytes: 14, Refused: 6, Line: 9}); account != want {
		t.Errorf("account %+v, want %+v", account, want)
	}
	sent := map[string]bool{}
	for _, r := range d.read(2) {
		sent[string(r.Value)] = true
	}
	if !sent[`{"n":1}`] || !sent[`{"n":9}`] {
		t.Errorf("sent %v", sent)
	}
}

func TestAnUnknownTypeIsWarnedAboutOnce(t *testing.T) {
	d := newDesk(t)
	var said []string
	types := map[string]topics.Name{"order.rejected": topics.TradeExecutions, "margin.call": topics.PortfolioUpdates}
	in := `{"event_type":"order.rejectd"}` + "\n{}\n" + `{"event_type":"order.rejected"}` + "\n" + `{"event_type":"order.rejectd"}` + "\n" +
		`{"event_type":"margin.call"}` + "\n" + `{"event_type":"lunch"}`
	account, err := d.run(Params{Lines: strings.NewReader(in), Types: types, Say: func(text string) error {
		said = append(said, text)
		return nil
	}})
	want := []string{
		`line 1: warning: an event of type "order.rejectd": did you mean order.rejected?`,
		`line 5: warning: an event of type "margin.call" belongs to topic portfolio-updates`,
		`line 6: warning: an event of type "lunch" is in no sample of trade-executions`,
	}
	if err != nil || account.Sent != 6 || !slices.Equal(said, want) {
		t.Errorf("%+v, %v, it said\n%s", account, err, strings.Join(said, "\n"))
	}
}

func TestARunEndsWhenNobodyHearsWhatItSays(t *testing.T) {
	d := newDesk(t)
	gone := errors.New("broken pipe")
	account, err := d.run(Params{Lines: strings.NewReader("{}\n[]\n{}\n"), KeepGoing: true, Say: func(string) error { return gone }})
	if !errors.Is(err, gone) || account.Sent != 1 {
		t.Errorf("%+v, %v", account, err)
	}
}

// TestStoppingDoesNotWaitForInput: a pipe whose writer is silent, as tail -f is.
func TestStoppingDoesNotWaitForInput(t *testing.T) {
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
	account, err := Run(ctx, Params{Client: d.client, Topic: topics.TradeExecutions, Lines: in, Decode: decode})
	if !errors.Is(err, stopped) || !strings.HasSuffix(err.Error(), "(2 sent before, up to line 2)") {
		t.Errorf("got %v", err)
	}
	if want := (Account{Sent: 2, Bytes: 4, Line: 2}); account != want {
		t.Errorf("account %+v, want %+v", account, want)
	}
}

// endless is input without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, "{    }\n"), nil }

// TestBrokersThatDoNotAnswerHoldTheInput: what is read and not acknowledged is
// bounded, and a stop says that it may be there.
func TestBrokersThatDoNotAnswerHoldTheInput(t *testing.T) {
	wire := testkafka.NewWire((&net.Dialer{}).DialContext)
	d := newDesk(t, kgo.Dialer(wire.Dial))
	if _, err := d.run(Params{Lines: strings.NewReader("{}")}); err != nil {
		t.Fatal(err)
	}
	wire.Freeze()
	defer wire.Mend()
	defer func(d time.Duration) { drainFor = d }(drainFor)
	drainFor = 50 * time.Millisecond
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("interrupted")
	decoded := 0
	account, err := Run(ctx, Params{Client: d.client, Topic: topics.TradeExecutions, Lines: endless{}, Decode: func(r event.Record) (event.Event, error) {
		if decoded++; decoded > room { // there is no room for this one
			cancel(stopped)
		}
		return decode(r)
	}})
	if want := (Account{Unanswered: room, Line: room}); account != want || !errors.Is(err, stopped) {
		t.Errorf("account %+v, want %+v; %v", account, want, err)
	}
	if want := "(0 sent before, up to line 4096, 4096 without an answer, which may be there)"; !strings.HasSuffix(fmt.Sprint(err), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestRawSendsEveryLineAsItIs(t *testing.T) {
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

func TestCountSendsEverythingAgain(t *testing.T) {
	d := newDesk(t)
	const in = "{\"n\":1}\n{\"n\":2}\n"
	for name, lines := range map[string]io.Reader{"rewound": strings.NewReader(in), "kept": &failing{data: []byte(in), err: io.EOF}} {
		account, err := d.run(Params{Lines: lines, Count: 3})
		if want := (Account{Sent: 6, Bytes: 42, Line: 2}); err != nil || account != want {
			t.Fatalf("%s: %+v, %v, want %+v", name, account, err, want)
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

func TestInputThatCannotBeRewoundIsKeptWithinBounds(t *testing.T) {
	d := newDesk(t)
	defer func(n int) { keepAtMost = n }(keepAtMost)
	keepAtMost = 1 << 20
	_, err := d.run(Params{Lines: endless{}, Count: 2})
	if err == nil || !strings.Contains(err.Error(), "more than 1 MiB to send again: put them into a file and use -f") {
		t.Errorf("got %v", err)
	}
}

const trade = `{
  "event_id": "01KAQ2C7VY3E8M5Z9T4N6R1W0D", "occurred_at": "2020-01-01T00:00:00Z",
  "session_id": "ses-7f3a", "price": 0.10, "nested": {"event_id": "stays"}
}
`

func TestASampleIsANewEventEachTime(t *testing.T) {
	d := newDesk(t)
	now := time.Date(2026, 11, 23, 15, 31, 5, 0, time.FixedZone("", 3600))
	if _, err := d.run(Params{Sample: []byte(trade), Count: 2, Now: func() time.Time { return now }}); err != nil {
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

func TestARawSampleIsSentAsItStands(t *testing.T) {
	d := newDesk(t)
	if _, err := d.run(Params{Sample: []byte(trade), Raw: true}); err != nil {
		t.Fatal(err)
	}
	if r := d.read(1)[0]; string(r.Value) != trade {
		t.Errorf("sent %s", r.Value)
	}
}

func TestARefusedRecordEndsTheRunWithItsLine(t *testing.T) {
	d := newDesk(t, kgo.ProducerBatchMaxBytes(2000), kgo.ProducerBatchCompression(kgo.NoCompression()))
	in := `{"n":1}` + "\n" + `{"n":"` + strings.Repeat("x", 5000) + `"}`
	account, err := d.run(Params{Lines: strings.NewReader(in)})
	if err == nil || !strings.HasPrefix(err.Error(), "line 2: 5008 bytes are more than topic trade-executions takes in a record") {
		t.Errorf("got %v, want line 2", err)
	}
	if account.Sent > 1 {
		t.Errorf("%d sent", account.Sent)
	}
}

func TestCancellingEndsARunAndTellsWhatWasSent(t *testing.T) {
	d := newDesk(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	stopped := errors.New("interrupted")
	checked := 0
	account, err := Run(ctx, Params{
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
	if account.Sent > 99 || checked != 100 {
		t.Errorf("%d sent of %d checked", account.Sent, checked)
	}
}

func TestARateIsKept(t *testing.T) {
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
		t.Error("without a rate there is a limit")
	}
}

func TestAnUnreadableInputNamesItsLine(t *testing.T) {
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

func TestATopicThatIsNotThereIsASentence(t *testing.T) {
	d := newDesk(t, kgo.UnknownTopicRetries(0))
	_, err := Run(t.Context(), Params{Client: d.client, Topic: topics.PortfolioUpdates, Sample: []byte(`{}`), Decode: decode})
	if want := "there is no topic portfolio-updates: run 'notifier topics create' (0 sent before)"; err == nil || err.Error() != want {
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

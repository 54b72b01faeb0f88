package produce

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/broker"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/topics"
)

// desk is a broker with a source topic and a client of it.
type desk struct {
	t      *testing.T
	client *kgo.Client
}

func newDesk(t *testing.T, opts ...kgo.Opt) desk {
	t.Helper()
	b, err := broker.Start(t.Context(), broker.Config{Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	if _, err := b.CreateTopics(broker.Topic{Name: string(topics.TradeExecutions), Partitions: 6}); err != nil {
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
	if err == nil || !strings.HasPrefix(err.Error(), "line 4: not JSON at byte 5 (truncated)") || !strings.HasSuffix(err.Error(), "(2 sent before)") {
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
	account, err := d.run(Params{Lines: strings.NewReader("{\"n\":1}\n{\"n\":2}\n"), Count: 3})
	if err != nil || account.Sent != 6 {
		t.Fatalf("%+v, %v, want 6 sent", account, err)
	}
	counts := map[string]int{}
	for _, r := range d.read(6) {
		counts[string(r.Value)]++
	}
	if counts[`{"n":1}`] != 3 || counts[`{"n":2}`] != 3 {
		t.Errorf("sent %v", counts)
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
	if err == nil || !strings.HasPrefix(err.Error(), "send line 2 to trade-executions: ") {
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

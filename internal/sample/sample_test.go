package sample

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/algotrade/notifier/internal/topics"
)

var update = flag.Bool("update", false, "write the golden files")

var morning = time.Date(2026, 11, 23, 14, 30, 0, 0, time.UTC)

// until returns the records before end.
func until(s *Story, end time.Duration) (records []Record) {
	for {
		r := s.Next()
		if r.At >= end {
			return records
		}
		records = append(records, r)
	}
}

// fields decodes a record; nil if it is not JSON.
func fields(r Record) map[string]any {
	var doc map[string]any
	value := bytes.ReplaceAll(r.Value, []byte(":NaN"), []byte(":null"))
	if !utf8.Valid(value) || json.Unmarshal(value, &doc) != nil {
		return nil
	}
	return doc
}

func digest(records []Record) string {
	h := sha256.New()
	for _, r := range records {
		fmt.Fprintf(h, "%d %s %s %d ", r.At, r.Topic, r.Key, len(r.Value))
		h.Write(r.Value)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func TestSameSeedGivesSameBytes(t *testing.T) {
	for name, newStory := range map[string]func(uint64, time.Time, float64) *Story{"story": NewStory, "storm": NewStorm} {
		one := digest(until(newStory(1, morning, 10), 3*time.Minute))
		if again := digest(until(newStory(1, morning, 10), 3*time.Minute)); again != one {
			t.Errorf("%s: the same seed gives other bytes", name)
		}
		if other := digest(until(newStory(2, morning, 10), 3*time.Minute)); other == one {
			t.Errorf("%s: another seed gives the same bytes", name)
		}
	}
}

func TestFirstMinuteMatchesGolden(t *testing.T) {
	var lines strings.Builder
	for _, r := range until(NewStory(1, morning, 40), time.Minute) {
		doc := fields(r)
		if doc == nil {
			fmt.Fprintf(&lines, "%6.2f %s: not an event\n", r.At.Seconds(), r.Topic)
			continue
		}
		if account, _ := doc["account_id"].(string); r.Topic != topics.ForwardTestEvents && !strings.HasPrefix(account, "ACC-1") {
			continue // background
		}
		if id, _ := doc["forward_test_id"].(string); strings.HasPrefix(id, "ft-21") {
			continue
		}
		fmt.Fprintf(&lines, "%6.2f %s", r.At.Seconds(), doc["event_type"])
		for _, name := range []string{
			"account_id", "forward_test_id", "mode", "reconciliation", "symbol", "side", "order_qty", "notional", "slippage_bps", "reject_code",
			"drawdown", "day_return", "margin_ratio", "limit", "divergence", "error",
		} {
			if v := doc[name]; v != nil && v != "live" {
				fmt.Fprintf(&lines, " %s=%v", name, v)
			}
		}
		lines.WriteByte('\n')
	}
	golden := filepath.Join("testdata", "first-minute.golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(lines.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if lines.String() != string(want) {
		t.Errorf("the scenes of the first minute differ from %s: run with -update and review the difference", golden)
	}
}

func TestFirstSceneIsVenueReject(t *testing.T) {
	for _, r := range until(NewStory(7, morning, 40), 3*time.Second) {
		doc := fields(r)
		if doc["event_type"] != "order.rejected" || doc["mode"] != "live" {
			continue
		}
		for name, want := range map[string]string{
			"symbol": "NVDA", "side": "buy", "order_qty": "400", "reason": "insufficient buying power",
			"strategy_id": "mean-rev-7", "venue": "XNAS", "order_id": "ord-88213", "account_id": "ACC-1016",
		} {
			if doc[name] != want {
				t.Errorf("%s is %v, want %s", name, doc[name], want)
			}
		}
		return
	}
	t.Error("no live order is rejected in the first three seconds")
}

func TestRecordsAreOrderedByTime(t *testing.T) {
	for _, rate := range []float64{0.2, 1, 200} {
		var last time.Duration
		for _, r := range until(NewStory(3, morning, rate), 70*time.Second) {
			if r.At < last {
				t.Fatalf("at %v events a second: %v comes after %v", rate, r.At, last)
			}
			last = r.At
			if doc := fields(r); doc != nil {
				if want := morning.Add(r.At).Format("2006-01-02T15:04:05.000000Z07:00"); doc["occurred_at"] != want {
					t.Fatalf("%v has occurred_at %v, want %s", doc["event_id"], doc["occurred_at"], want)
				}
			}
		}
	}
}

func TestEventIDsAreUniqueULIDs(t *testing.T) {
	seen := map[any]bool{}
	for _, r := range until(NewStory(1, morning, 20), 3*time.Minute) {
		doc := fields(r)
		if doc == nil {
			continue
		}
		id := doc["event_id"].(string)
		if seen[id] || len(id) != 26 || strings.Trim(id, crockford) != "" {
			t.Fatalf("event id %q is a duplicate or not a ULID", id)
		}
		seen[id] = true
	}
}

func TestULIDBeginsWithItsTime(t *testing.T) {
	// The example of the specification: 01ARZ3NDEK is 1469922850259.
	if id := ulid(time.UnixMilli(1469922850259), 0, 0); id != "01ARZ3NDEK0000000000000000" {
		t.Errorf("wrong timestamp in %s", id)
	}
}

func TestStoryHasRequestedRate(t *testing.T) {
	for _, rate := range []float64{10, 40} {
		const minutes = 4
		n := float64(len(until(NewStory(1, morning, rate), minutes*time.Minute)))
		if want := rate * minutes * 60; n < 0.93*want || n > 1.07*want {
			t.Errorf("%v events a second: %v in %d minutes, want about %v", rate, n, minutes, want)
		}
	}
	if n := len(until(NewStory(1, morning, 0), time.Minute)); n < 2000 || n > 2800 {
		t.Errorf("%d events in a minute at the default rate, want about 2400", n)
	}
}

func TestOpeningBellIsABurst(t *testing.T) {
	perSecond := make([]int, 60)
	for _, r := range until(NewStory(1, morning, 200), time.Minute) {
		perSecond[r.At/time.Second]++
	}
	if bell, before := perSecond[11], perSecond[6]; bell < 3*before {
		t.Errorf("%d events in a second of the opening bell, %d before it", bell, before)
	}
}

func TestRecordKeyIsSession(t *testing.T) {
	for _, r := range until(NewStory(1, morning, 40), 2*time.Minute) {
		if doc := fields(r); doc != nil && doc["session_id"] != r.Key {
			t.Fatalf("key %q, session %v", r.Key, doc["session_id"])
		} else if r.Key == "" {
			t.Fatalf("a record of %s has no key", r.Topic)
		}
	}
}

func TestRateChangesOnlyBackground(t *testing.T) {
	scenes := func(rate float64) (scripted []string) {
		for _, r := range until(NewStory(1, morning, rate), 3*time.Minute) {
			if account, _ := fields(r)["account_id"].(string); strings.HasPrefix(account, "ACC-1") {
				doc := fields(r)
				delete(doc, "event_id")
				b, _ := json.Marshal(doc)
				scripted = append(scripted, string(b))
			}
		}
		return scripted
	}
	if slow, fast := scenes(5), scenes(30); !slices.Equal(slow, fast) {
		t.Errorf("scene events differ: %d at 5 per second, %d at 30", len(slow), len(fast))
	}
}

func TestOrderQuantitiesAddUp(t *testing.T) {
	for _, r := range until(NewStory(1, morning, 40), 2*time.Minute) {
		doc := fields(r)
		if doc == nil || r.Topic != topics.TradeExecutions {
			continue
		}
		var ordered, filled, left int
		for name, into := range map[string]*int{"order_qty": &ordered, "cum_qty": &filled, "leaves_qty": &left} {
			if _, err := fmt.Sscan(doc[name].(string), into); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		switch doc["order_status"] {
		case "rejected", "denied", "canceled", "expired":
			if left != 0 {
				t.Fatalf("%v leaves %d", doc["event_type"], left)
			}
		default:
			if filled+left != ordered {
				t.Fatalf("%v: %d filled and %d left of %d", doc["event_type"], filled, left, ordered)
			}
		}
		if doc["event_type"] == "order.filled" && left != 0 {
			t.Fatalf("a filled order leaves %d", left)
		}
	}
}

func TestStormRejectsThousandsWithinSeconds(t *testing.T) {
	rejects, accounts, margins := 0, map[any]bool{}, 0
	for _, r := range until(NewStorm(1, morning, 40), 10*time.Second) {
		if ratio, _ := fields(r)["margin_ratio"].(float64); ratio == 0.94 {
			margins++
		}
		if bytes.Contains(r.Value, []byte(`"reject_code":"VENUE_HALTED"`)) {
			rejects++
			accounts[fields(r)["account_id"]] = true
		}
	}
	if rejects != 4800 || len(accounts) != 212 || margins != 1 {
		t.Errorf("%d rejects on %d accounts, want 4800 on 212; %d accounts close to a margin call", rejects, len(accounts), margins)
	}
}

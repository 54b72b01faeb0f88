package main

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func post(s *sink, body string) int {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/hook", strings.NewReader(body)))
	return w.Code
}

func TestEventIDsAreFoundOnceEach(t *testing.T) {
	body := `{"alert":{"event_id":"e12","x":1},"event":{"event_id": "e12"},"event_json":"{\"event_id\":\"e7\"}","event_id":null}`
	if got := eventIDs([]byte(body)); !slices.Equal(got, []int{12, 7}) {
		t.Error(got)
	}
}

func TestSinkCountsFaults(t *testing.T) {
	var s sink
	s.expect(accept, 1000, 1000)
	for _, id := range []string{"e1500", "e1000", "e1001", "e1001", "e42"} { // e1500 and e1000 share a key
		if code := post(&s, `{"event_id":"`+id+`"}`); code != http.StatusOK {
			t.Error(code)
		}
	}
	if got, want := s.count(), (tally{posts: 4, unique: 3, disorder: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestScatteredRefusesEvery31stOnce(t *testing.T) {
	var s sink
	s.expect(scattered, 0, 100)
	codes := []int{post(&s, `{"event_id":"e31"}`), post(&s, `{"event_id":"e31"}`), post(&s, `{"event_id":"e32"}`)}
	if !slices.Equal(codes, []int{503, 200, 200}) || s.count().unique != 2 {
		t.Error(codes, s.count())
	}
}

// example is a result with one figure of each sort.
func example() *result {
	r := &result{Commit: "0123456789", Date: time.Unix(0, 0).UTC(), Machine: "2 cores of a <CPU>", Go: "1.26", Kafka: "4.2.0", Runs: 3}
	for _, v := range []float64{2000, 1000, 1500} {
		r.add("filter", "raw", values{{"events/s", 2 * v}})
		r.add("filter", peer, values{{"events/s", v}, {"CPU µs/event", 8}})
		r.add("filter", notifier, values{{"events/s", 3 * v}, {"CPU µs/event", 10}, {"allocs/event", 2}, {missing, 0}})
	}
	return r
}

func TestRatioIsAboveOneWhenBetter(t *testing.T) {
	var got []float64
	for _, f := range example().Figures {
		got = append(got, f.ratio())
	}
	if !slices.Equal(got, []float64{3, 0.8, 0, 0}) {
		t.Error(got)
	}
}

func TestTableFitsOneHundredColumns(t *testing.T) {
	var b strings.Builder
	example().table(&b)
	if !strings.Contains(b.String(), "3,000") {
		t.Error(b.String())
	}
	for line := range strings.Lines(b.String()) {
		if len([]rune(line)) > 101 {
			t.Errorf("%q", line)
		}
	}
}

func TestCheckComparesBeyondMargin(t *testing.T) {
	for name, tc := range map[string]struct {
		figure int
		value  float64
		ok     bool
	}{
		"the same":             {0, 4500, true},
		"a little slower":      {0, 2600, true},
		"much slower":          {0, 2400, false},
		"better":               {1, 1, true},
		"much more CPU":        {1, 15, false},
		"allocations":          {2, 2.2, true},
		"more allocations":     {2, 2.4, false},
		"an event was lost":    {3, 1, false},
		"fewer allocations":    {2, 1, true},
		"the receiver took it": {3, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			fresh := example()
			fresh.Figures[tc.figure].Notifier = []float64{tc.value}
			if err := check(io.Discard, example(), fresh); (err == nil) != tc.ok {
				t.Error(err)
			}
		})
	}
}

func TestCheckNeedsCommittedFigure(t *testing.T) {
	if err := check(io.Discard, &result{}, example()); err == nil {
		t.Error("a result without figures passes")
	}
}

func TestWrittenResultIsReadBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	older, newer := example(), example()
	newer.Date, newer.Commit = older.Date.Add(time.Hour), "abcdef"
	for _, r := range []*result{newer, older} {
		if err := r.write(dir); err != nil {
			t.Fatal(err)
		}
	}
	r, err := newest(dir)
	if err != nil || r.Commit != "abcdef" || check(io.Discard, r, older) != nil {
		t.Error(r, err)
	}
}

func TestChartIsWellFormed(t *testing.T) {
	bars := 0
	for dec := xml.NewDecoder(strings.NewReader(example().chart())); ; {
		token, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
			bars++
		}
	}
	if bars != 2 {
		t.Errorf("%d bars", bars)
	}
}

func TestCostsAreDrawnAndTabled(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "costs.txt")
	const text = "commit: abc\n" +
		"BenchmarkCost/rules/quiet-compared/10-2   1  0 ns/op  671.0 cpu-ns\n" +
		"BenchmarkCost/rules/quiet-compared/1-2   1  600 cpu-ns\n" +
		"BenchmarkCost/rules/quiet-compared/1-2   1  557 cpu-ns\n" +
		"BenchmarkCost/rules/alert/10-2   1  12500 cpu-ns\n" +
		"BenchmarkCost/types/quiet/trade-executions:order.filled-large-2   1  1500 cpu-ns\nPASS\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := drawCosts(file, dir, &b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| rules | alert | quiet-compared |\n|---|--:|--:|\n| 1 | | 0.56 |\n| 10 | 12.5 | 0.67 |\n", "| trade-executions:order.filled-large | 1.50 |", "commit: abc"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
	for _, name := range []string{"rules", "types"} {
		svg, err := os.ReadFile(filepath.Join(dir, "cost-"+name+".svg"))
		if err != nil || !strings.Contains(string(svg), "12.5") && !strings.Contains(string(svg), "1.50") || xml.Unmarshal(svg, new(struct{})) != nil {
			t.Errorf("%s: %v\n%s", name, err, svg)
		}
	}
	if err := os.WriteFile(file, []byte("PASS\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := drawCosts(file, dir, &b); err == nil {
		t.Error("a file without costs is drawn")
	}
}

func TestNumberIsTakenFromItsLine(t *testing.T) {
	text := []byte("# TYPE go_memstats_mallocs_total counter\ngo_memstats_mallocs_total 1.5e+06\nVmHWM:\t  2048 kB\n")
	for name, want := range map[string]float64{"go_memstats_mallocs_total": 1.5e6, "VmHWM:": 2048} {
		if got, err := number(text, name); got != want || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := number(text, "absent"); err == nil {
		t.Error("a name that is not there has a number")
	}
}

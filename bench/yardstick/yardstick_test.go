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
		"much slower: a rate":  {0, 400, true},
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

func TestCheckOfPathsIsTight(t *testing.T) {
	const out = "goos: linux\nBenchmarkRelative/quiet-event-2  1  0 ns/op  0 allocs  0.50 x-json.Valid\nBenchmarkRelative/alert-2  1  0 ns/op  25.00 allocs  5.9 x-json.Valid\nPASS\n"
	committed := &result{}
	for _, c := range []struct {
		old, new string
		ok       bool
	}{
		{"", "", true},
		{"0.50", "0.52", true},
		{"0.50", "0.53", false},
		{" 0 allocs  0.50", " 1 allocs  0.50", false},
		{"25.00", "27.00", false},
		{"5.9", "59", true},
	} {
		fresh := &result{}
		for r, text := range map[*result]string{committed: out, fresh: strings.Replace(out, c.old, c.new, 1)} {
			v, err := readPaths(text)
			if err != nil {
				t.Fatal(err)
			}
			r.Figures = nil
			r.add("paths", notifier, v)
		}
		if err := check(io.Discard, committed, fresh); (err == nil) != c.ok {
			t.Errorf("%q: %v", c.new, err)
		}
	}
	if _, err := readPaths("PASS\n"); err == nil {
		t.Error("nothing was measured")
	}
}

func TestResultOfThreeNodesIsKeptApart(t *testing.T) {
	dir := t.TempDir()
	one, three := example(), example()
	three.Date, three.Commit, three.Nodes = one.Date.Add(time.Hour), "abcdef", 3
	for _, r := range []*result{one, three} {
		if err := r.write(dir); err != nil {
			t.Fatal(err)
		}
	}
	r, err := newest(dir)
	if err != nil || r.Commit != one.Commit {
		t.Errorf("%+v, %v", r, err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*3-nodes*"))
	if err != nil || len(files) != 2 || !strings.Contains(three.chart(), "on 3 nodes with replication 3") {
		t.Error(files, err)
	}
	if got := addresses("127.0.0.1:1 127.0.0.1:4\n127.0.0.1:2 127.0.0.1:5\n"); !slices.Equal(got, []string{"127.0.0.1:1", "127.0.0.1:2"}) {
		t.Error(got)
	}
}

func TestNodeThatDoesNotStartIsAnError(t *testing.T) { // the script is in the repository's root, not here
	if n, err := startNode(t.Context(), t.TempDir(), 3); err == nil || n != nil {
		t.Error(n, err)
	}
}

func TestNewestTakesMissingFiguresFromOlder(t *testing.T) {
	dir := t.TempDir()
	older, newer := example(), &result{Commit: "abcdef", Date: time.Unix(3600, 0).UTC()}
	newer.add("paths", notifier, values{{"quiet-event allocs", 0}})
	for _, r := range []*result{older, newer} {
		if err := r.write(dir); err != nil {
			t.Fatal(err)
		}
	}
	r, err := newest(dir)
	if err != nil || r.Commit != "abcdef" || r.find("filter", "events/s") == nil || r.find("paths", "quiet-event allocs") == nil {
		t.Errorf("%+v, %v", r, err)
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

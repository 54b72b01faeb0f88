//go:build real

package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// rightlyEmpty are the dashboard's queries without a result while all is well.
var rightlyEmpty = map[string]string{
	"What fires":                    "nothing fires",
	"Time until loss":               "nothing waits",
	"Group and fetch errors":        "shows errors only",
	"Partitions blocked":            "shows what is blocked only",
	"Pending records, by partition": "shows pending records only",
}

// TestPrometheusAnswersEveryQuery has a real Prometheus scrape a daemon under
// load, and asks it everything that the rules, the dashboard and the runbook
// ask.
func TestPrometheusAnswersEveryQuery(t *testing.T) {
	c := testkafka.Start(t, []kafka.Channel{{Name: "desk", Partitions: 1}, {Name: "hook", Partitions: 3}})
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer hook.Close()
	d := start(t, files(t, c, "  desk: {console: {}}\n  hook: {webhook: {url: \""+hook.URL+"\"}, partitions: 3}", fmt.Sprintf(every, "desk, hook")))
	p := startPrometheus(t, strings.TrimPrefix(d.http, "http://"))

	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		cl := c.Client()
		for n := 0; ; n += 20 {
			records := append(alerting(topics.TradeExecutions, "", n, 10), alerting(topics.PortfolioUpdates, "k", n+10, 10)...)
			records = append(records,
				&kgo.Record{Topic: string(topics.TradeExecutions), Value: []byte(`{"alert":`)},
				&kgo.Record{Topic: string(topics.ForwardTestEvents), Value: []byte(`{"alert":false}`)})
			cl.ProduceSync(t.Context(), records...)
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	defer func() { close(stop); <-done }()

	testkafka.Eventually(t, time.Minute, "Prometheus has seen deliveries and dead letters", func() bool {
		return len(p.query(`sum(rate(notifier_deliveries_total{channel="hook"}[10s])) > 0 and sum(rate(notifier_dead_letters_total[10s])) > 0`)) > 0 &&
			len(p.query(`notifier_dead_letters_open > 0`)) > 0 && len(p.query(`job_channel:notifier_alert_age_seconds:p95_10m > 0`)) > 0
	})
	ask := strings.NewReplacer("$job", "notifier", "$__rate_interval", "10s")
	queries := 0
	for _, panel := range dashboardPanels(t) {
		for _, target := range panel.Targets {
			queries++
			result := p.query(ask.Replace(target.Expr))
			if _, ok := rightlyEmpty[panel.Title]; len(result) == 0 && !ok {
				t.Errorf("%s: no result of %s", panel.Title, target.Expr)
			}
		}
	}
	if queries < 50 {
		t.Errorf("only %d queries were found in the dashboard", queries)
	}
	for _, expr := range runbookQueries(t) {
		p.query(expr)
	}
	var rules struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError, State string }
		}
	}
	p.get("/api/v1/rules", &rules)
	seen := 0
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			seen++
			if r.Health != "ok" {
				t.Errorf("%s is %s: %s", r.Name, r.Health, r.LastError)
			}
			if r.State == "firing" {
				t.Errorf("%s fires while all is well", r.Name)
			}
		}
	}
	if seen < 40 {
		t.Errorf("Prometheus has only %d rules", seen)
	}
}

type panel struct {
	Title   string
	Targets []struct{ Expr string }
	Panels  []panel
}

func dashboardPanels(t *testing.T) []panel {
	t.Helper()
	var doc panel
	if err := json.Unmarshal(read(t, "../../configs/grafana/dashboards/notifier.json"), &doc); err != nil {
		t.Fatal(err)
	}
	var all []panel
	for _, p := range doc.Panels {
		all = append(append(all, p), p.Panels...)
	}
	return all
}

// server is a running Prometheus.
type server struct {
	t   *testing.T
	url string
}

// startPrometheus starts one that scrapes a target twice a second and has our
// rules.
func startPrometheus(t *testing.T, target string) *server {
	t.Helper()
	dir := t.TempDir()
	rules, err := filepath.Abs(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 500ms, evaluation_interval: 500ms}\nrule_files: [%q]\nscrape_configs: [{job_name: notifier, static_configs: [{targets: [%q]}]}]\n", rules, target)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	script := func(args ...string) string {
		cmd := exec.Command("../../scripts/prometheus.sh", args...)
		var errs strings.Builder
		cmd.Stderr, cmd.WaitDelay = &errs, time.Second // the server outlives the script
		out, err := cmd.Output()
		if err != nil && len(out) == 0 {
			t.Fatalf("prometheus.sh %s: %v: %s", args[0], err, errs.String())
		}
		return strings.TrimSpace(string(out))
	}
	address := script("start", filepath.Join(dir, "prometheus"), config)
	t.Cleanup(func() {
		_ = exec.Command("../../scripts/prometheus.sh", "stop", filepath.Join(dir, "prometheus")).Run()
	})
	return &server{t, "http://" + address}
}

// get asks the API and returns what stands under data.
func (s *server) get(path string, into any) {
	s.t.Helper()
	resp, err := http.Get(s.url + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var doc struct {
		Status, Error string
		Warnings      []string
		Data          json.RawMessage
	}
	if err := json.Unmarshal(body, &doc); err != nil || doc.Status != "success" || len(doc.Warnings) > 0 {
		s.t.Fatalf("%s: %v %s", path, err, body)
	}
	if err := json.Unmarshal(doc.Data, into); err != nil {
		s.t.Fatalf("%s: %v", path, err)
	}
}

// query returns an expression's series now.
func (s *server) query(expr string) []json.RawMessage {
	s.t.Helper()
	var data struct{ Result []json.RawMessage }
	s.get("/api/v1/query?query="+url.QueryEscape(expr), &data)
	return data.Result
}

package cli

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/algotrade/notifier/internal/testkafka"
)

// What watches the daemon from outside: alerting rules, runbook, dashboard.
// These tests hold that they speak of the daemon that there is.

const (
	rulesFile     = "../../configs/prometheus/notifier.rules.yaml"
	ruleTestsFile = "../../configs/prometheus/notifier.rules.test.yaml"
	runbookFile   = "../../docs/runbook.md"
	runbookURL    = "https://github.com/algotrade/notifier/blob/main/docs/runbook.md"
)

// alertRule is a rule of Prometheus: it records or it alerts.
type alertRule struct {
	Record, Alert, Expr string
	Labels, Annotations map[string]string
}

func alertRules(t *testing.T) []alertRule {
	t.Helper()
	var file struct{ Groups []struct{ Rules []alertRule } }
	if err := yaml.Unmarshal(read(t, rulesFile), &file); err != nil {
		t.Fatal(err)
	}
	var all []alertRule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) < 40 {
		t.Fatalf("only %d rules were found", len(all))
	}
	return all
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestEveryAlertIsDocumentedAndTested(t *testing.T) {
	sections := make(map[string]string) // by name: what stands in it
	for _, s := range strings.Split(string(read(t, runbookFile)), "\n### ")[1:] {
		name, text, _ := strings.Cut(s, "\n")
		sections[name] = text
	}
	var tests struct {
		Tests []struct {
			Checks []struct {
				Alert  string `yaml:"alertname"`
				Expect []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	if err := yaml.Unmarshal(read(t, ruleTestsFile), &tests); err != nil {
		t.Fatal(err)
	}
	fires, silent := make(map[string]bool), make(map[string]int)
	for _, test := range tests.Tests {
		for _, c := range test.Checks {
			if len(c.Expect) > 0 {
				fires[c.Alert] = true
			} else {
				silent[c.Alert]++
			}
		}
	}
	for _, r := range alertRules(t) {
		if r.Alert == "" {
			continue
		}
		section, ok := sections[r.Alert]
		delete(sections, r.Alert)
		if !ok {
			t.Errorf("%s has no section in the runbook", r.Alert)
		}
		for _, part := range []string{"*" + r.Labels["severity"], "**Impact**", "**Diagnosis**", "**Action**", "**Resolved**"} {
			if ok && !strings.Contains(section, part) {
				t.Errorf("the runbook's section of %s does not have %s", r.Alert, part)
			}
		}
		if !fires[r.Alert] || silent[r.Alert] < 2 && r.Alert != "NotifierAbsent" {
			t.Errorf("%s has no unit test that has it fire, and be silent before and after", r.Alert)
		}
		if got, want := r.Annotations["runbook_url"], runbookURL+"#"+strings.ToLower(r.Alert); got != want {
			t.Errorf("%s leads to %q, want %s", r.Alert, got, want)
		}
		if s := r.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s has the severity %q", r.Alert, s)
		}
		for _, name := range []string{"summary", "description"} {
			if r.Annotations[name] == "" {
				t.Errorf("%s has no %s", r.Alert, name)
			}
		}
	}
	for name := range sections {
		t.Errorf("the runbook has a section of %s, and there is no such alert", name)
	}
}

// TestWhatIsWatchedIsExported holds every metric, label and value that the
// rules and the runbook name against a daemon's scrape.
func TestWhatIsWatchedIsExported(t *testing.T) {
	c := testkafka.Start(t, one("desk", 1))
	d := start(t, files(t, c, "  desk: {console: {}}", fmt.Sprintf(every, "desk")))
	var exported scrape
	testkafka.Eventually(t, 20*time.Second, "the slowest metrics are there", func() bool {
		_, body := d.get("/metrics")
		exported = parseScrape(body)
		return len(exported["notifier_consumer_lag_records"]) > 0 && len(exported["notifier_dead_letters_open"]) > 0
	})
	recorded := make(map[string]string) // to what they are made from
	for _, r := range alertRules(t) {
		if r.Record != "" {
			recorded[r.Record] = r.Expr
		}
	}
	for _, r := range alertRules(t) {
		for _, fault := range exported.faults(r.Expr, recorded) {
			t.Errorf("%s: %s", r.Alert+r.Record, fault)
		}
		for text := range maps.Values(r.Annotations) {
			if m := regexp.MustCompile(`\{\{ \$value \}\}`).FindString(text); m != "" {
				t.Errorf("%s shows a value as a machine writes it", r.Alert)
			}
		}
	}
	for i, expr := range runbookQueries(t) {
		for _, fault := range exported.faults(expr, recorded) {
			t.Errorf("query %d of the runbook: %s", i, fault)
		}
	}
	for limit := range maps.Keys(recorded) {
		if strings.HasPrefix(limit, "notifier:limit:") && !strings.Contains(string(read(t, rulesFile)), "("+limit+")") {
			t.Errorf("no alert asks for %s", limit)
		}
	}
	for _, m := range regexp.MustCompile("`(notifier:limit:[a-z_]+)`").FindAllStringSubmatch(string(read(t, runbookFile)), -1) {
		if recorded[m[1]] == "" {
			t.Errorf("the runbook speaks of %s, which the rules do not have", m[1])
		}
	}
}

// runbookQueries are the blocks of PromQL.
func runbookQueries(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, m := range regexp.MustCompile("(?ms)^ *```promql\n(.*?)^ *```$").FindAllStringSubmatch(string(read(t, runbookFile)), -1) {
		all = append(all, strings.TrimSpace(m[1]))
	}
	if len(all) < 20 {
		t.Errorf("only %d queries were found", len(all))
	}
	return all
}

// scrape is by metric and label the values that there are.
type scrape map[string]map[string][]string

var (
	anySample = regexp.MustCompile(`(?m)^([a-z_]+)(?:\{(.*)\})? \S+$`)
	labelPair = regexp.MustCompile(`([a-z_]+)(=~|!~|!=|=)"([^"]*)"`)
	selector  = regexp.MustCompile(`\b((?:notifier|process|go|job|kafka)[a-z]*[_:][a-z0-9_:]*)(?:\{([^}]*)\})?`)
)

func parseScrape(body string) scrape {
	s := make(scrape)
	for _, m := range anySample.FindAllStringSubmatch(body, -1) {
		if s[m[1]] == nil {
			s[m[1]] = make(map[string][]string)
		}
		for _, l := range labelPair.FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(s[m[1]][l[1]], l[3]) {
				s[m[1]][l[1]] = append(s[m[1]][l[1]], l[3])
			}
		}
	}
	return s
}

// faults says what in an expression is not exported. Prometheus adds job and
// instance.
func (s scrape) faults(expr string, recorded map[string]string) []string {
	var all []string
	for _, m := range selector.FindAllStringSubmatch(expr, -1) {
		name := m[1]
		if of := recorded[name]; of != "" {
			if !strings.Contains(of, "notifier_") {
				continue // a limit
			}
			name = selector.FindStringSubmatch(of)[1]
		}
		labels, ok := s[name]
		if !ok {
			all = append(all, name+" is not exported")
			continue
		}
		for _, l := range labelPair.FindAllStringSubmatch(m[2], -1) {
			if l[1] == "job" || l[1] == "instance" {
				continue
			}
			for value := range strings.SplitSeq(l[3], "|") {
				whole, err := regexp.Compile("^(?:" + value + ")$")
				if err != nil {
					all = append(all, err.Error())
				} else if l[2] != "!~" && !slices.ContainsFunc(labels[l[1]], whole.MatchString) {
					all = append(all, fmt.Sprintf("%s has no %s that is %q", name, l[1], value))
				}
			}
			if labels[l[1]] == nil {
				all = append(all, fmt.Sprintf("%s has no label %s", name, l[1]))
			}
		}
	}
	return all
}

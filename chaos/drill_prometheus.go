package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// prometheus is a real one that scrapes the daemons once a second and has the
// shipped rules, in which time runs sixty times as fast.
type prometheus struct {
	dir, url string
	alerts   map[string]bool // by name, those of the rules
}

// hurry is the factor: a minute of the rules is a second of the drill. It
// shortens every `for`, every window, and the thresholds that are ages; not the
// ones that are latencies, which are what they are.
const hurry = 60

// looked is the least age that can be asked for: daemons look every 15 seconds,
// and what waited then is older by up to that much when the next look comes.
const looked = 20 * time.Second

var (
	spans = regexp.MustCompile(`((?:^|\s)(?:for|keep_firing_for): |\[|offset )(\d+)m\b`)
	ages  = regexp.MustCompile(`(notifier:limit:(?:lag|other_lag|outbox_oldest|dead_letter_oldest|until_loss)_seconds", expr: vector\()(\d+)\)`)
	named = regexp.MustCompile(`(?m)^ +- alert: (\w+)$`)
)

// hurried returns the rules in their short form. It is made from the one file
// that there is.
func hurried(rules string) (string, error) {
	short := spans.ReplaceAllString(rules, "${1}${2}s")
	n := 0
	short = ages.ReplaceAllStringFunc(short, func(s string) string {
		n++
		m := ages.FindStringSubmatch(s)
		v, _ := strconv.Atoi(m[2])
		return fmt.Sprintf("%s%g)", m[1], max(float64(v)/hurry, looked.Seconds()))
	})
	if left := regexp.MustCompile(`(?:for: |\[|offset )\d+[mhd]`).FindString(short); left != "" || n != 5 {
		return "", fmt.Errorf("the rules cannot be shortened: %d ages were found, and there is %q", n, left)
	}
	return short, nil
}

func startPrometheus(ctx context.Context, dir string, targets []string) (*prometheus, error) {
	rules, err := os.ReadFile(filepath.Join("configs", "prometheus", "notifier.rules.yaml"))
	if err != nil {
		return nil, err
	}
	short, err := hurried(string(rules))
	if err != nil {
		return nil, err
	}
	p := &prometheus{dir: dir, alerts: make(map[string]bool)}
	for _, m := range named.FindAllStringSubmatch(short, -1) {
		p.alerts[m[1]] = true
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	config := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [rules.yaml]\nscrape_configs: [{job_name: notifier, static_configs: [{targets: [%s]}]}]\n",
		strings.Join(targets, ", "))
	for name, text := range map[string]string{"rules.yaml": short, "prometheus.yml": config} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	address, err := script(ctx, "prometheus.sh", "start", dir, filepath.Join(dir, "prometheus.yml"))
	p.url = "http://" + address
	return p, err
}

func (p *prometheus) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, _ = script(ctx, "prometheus.sh", "stop", p.dir)
}

// firing returns the names of the alerts that fire, with the labels that tell
// of what; nil: it cannot be asked.
func (p *prometheus) firing(ctx context.Context) map[string][]string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/api/v1/alerts", http.NoBody)
	if err != nil {
		return nil
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	var doc struct {
		Data struct {
			Alerts []struct {
				State  string
				Labels map[string]string
			}
		}
	}
	if json.NewDecoder(resp.Body).Decode(&doc) != nil {
		return nil
	}
	firing := make(map[string][]string)
	for _, a := range doc.Data.Alerts {
		if a.State != "firing" {
			continue
		}
		of := ""
		for _, label := range []string{"group", "topic", "channel", "kind", "stage", "reason", "instance"} {
			if v := a.Labels[label]; v != "" {
				of += " " + v
			}
		}
		name := a.Labels["alertname"]
		firing[name] = append(firing[name], strings.TrimSpace(of))
	}
	return firing
}

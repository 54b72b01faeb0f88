package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/config"
)

// loadSamples loads a configuration with samples and a rule.
func loadSamples(t *testing.T, dir, samples, when string) (*config.Loaded, []string) {
	t.Helper()
	write(t, dir, "rules.yaml", []byte("version: 1\nrules:\n  - name: own\n    topic: trade-executions\n    when: "+when+"\n    severity: info\n    title: x\n    to: [desk]\n"))
	file := write(t, dir, "notifier.yaml", []byte("channels: {desk: {console: {}}}\nevents: {trade-executions: {id: Order Id, type: Side, time: Timestamp}}\nsamples: "+samples+"\n"))
	l, faults, err := config.Load(config.Source{File: file, Getenv: nothing})
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, f := range faults {
		texts = append(texts, f.String())
	}
	return l, texts
}

func TestOwnSamplesReplaceTheEmbeddedOnes(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "orders"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "fills.jsonl", []byte(`{"Order Id":7,"Timestamp":1795936969007,"Side":"Buy"}`+"\n\n"+`{"Order Id":8,"Timestamp":1795936969008,"Side":"Sell"}`+"\n"))
	write(t, filepath.Join(dir, "orders"), "limit.json", []byte("{\n  \"Order Id\": 9,\n  \"Timestamp\": 1795936969009\n}\n"))
	write(t, filepath.Join(dir, "orders"), "README", []byte("not a sample"))
	const own = "{trade-executions: [fills.jsonl, orders]}"
	l, faults := loadSamples(t, dir, own, `event["Order Id"] == 7`)
	if len(faults) > 0 {
		t.Errorf("faults %v", faults)
	}
	samples, _ := l.ReadSamples()
	var names []string
	for _, s := range samples {
		if s.Topic == "trade-executions" {
			names = append(names, s.Name)
		}
	}
	if want := []string{"fills-1", "fills-3", "limit"}; !slices.Equal(names, want) {
		t.Errorf("samples %v, want %v", names, want)
	}
	if len(samples) < 10 {
		t.Errorf("the other topics have %d samples", len(samples)-3)
	}
	if _, faults := loadSamples(t, dir, own, `event.order_qty == 7`); len(faults) == 0 || !strings.Contains(faults[0], "event.order_qty is in no sample") {
		t.Errorf("faults %v", faults)
	}
}

func TestUnusableSamplesAreWarnings(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "mixed.jsonl", []byte(`{"Order Id":7}`+"\n"+`{'Order Id':8}`+"\n"+`{"Timestamp":"soon"}`+"\n"))
	_, faults := loadSamples(t, dir, "{trade-executions: [mixed.jsonl, absent.json], portfolio-updates: .}", `event["Order Id"] == 7`)
	all := strings.Join(faults, "\n")
	for _, want := range []string{
		"samples.trade-executions: sample mixed-2 is not an event: ", "the text of a Python dict", `sample mixed-3: Timestamp is "soon", not a time that is read`,
		"cannot read " + filepath.Join(dir, "absent.json"),
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	if _, faults := loadSamples(t, dir, "{trades: x.json}", `event.a == 7`); len(faults) == 0 || !strings.Contains(faults[0], "trades") {
		t.Errorf("an unknown topic: %v", faults)
	}
}

package lag

import (
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/yamldoc"
)

func TestConfig(t *testing.T) {
	for _, c := range []struct{ text, fault string }{
		{"groups: []", ""},
		{"groups: [order-service, risk-service]", ""},
		{"groups: [all]", ""},
		{"groups: [all, order-service]", "notifier.yaml:1:10: groups[0]: all excludes other names"},
		{"groups: [a, b, a]", "notifier.yaml:1:16: groups[2]: duplicate name a"},
		{`groups: [""]`, "groups[0]: is empty"},
		{"groups: {a: b}", "notifier.yaml:1:9: groups"},
		{"group: [a]", "group: "},
		{"groups: [" + strings.Repeat("g,", MaxGroups) + "h]", "names 101 groups, the maximum is 100"},
	} {
		var config Config
		faults := yamldoc.Decode("notifier.yaml", ".", []byte(c.text), &config)
		var all []string
		for _, f := range faults {
			all = append(all, f.String())
		}
		if logged := strings.Join(all, "\n"); (c.fault == "") != (logged == "") || !strings.Contains(logged, c.fault) {
			t.Errorf("%s: got %q, want %q", c.text, logged, c.fault)
		}
	}
	for _, c := range []struct {
		config Config
		every  bool
		named  int
	}{{Config{}, false, 0}, {Config{[]string{"a", "b"}}, false, 2}, {Config{[]string{"all"}}, true, 0}} {
		if c.config.Every() != c.every || len(c.config.Named()) != c.named {
			t.Errorf("%v: every %t, named %v", c.config, c.config.Every(), c.config.Named())
		}
	}
}

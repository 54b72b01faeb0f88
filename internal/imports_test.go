// Package internal_test holds the directions in which packages may import each
// other: what keeps a rule from knowing about Kafka, and a channel from knowing
// about another.
package internal_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/algotrade/notifier/"

type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// all returns what a package and its tests import, without the module's path.
func (p *pkg) all() []string {
	var paths []string
	for _, path := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
		paths = append(paths, strings.TrimPrefix(path, module))
	}
	return paths
}

// packages returns the packages of the module, with the files of every build tag.
func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-tags", "real synctests", "-json=ImportPath,Imports,TestImports,XTestImports", module+"...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p pkg
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module)
		list = append(list, p)
	}
	return list
}

// below reports whether path is package dir or stands below it.
func below(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

func TestImportDirections(t *testing.T) {
	const kgo, kfake = "github.com/twmb/franz-go", "github.com/twmb/franz-go/pkg/kfake"
	type rule struct {
		what string
		who  func(from string) bool
		not  func(to string) bool
	}
	from := func(dirs ...string) func(string) bool {
		return func(p string) bool { return slices.ContainsFunc(dirs, func(d string) bool { return below(p, d) }) }
	}
	except := func(dirs ...string) func(string) bool {
		in := from(dirs...)
		return func(p string) bool { return !in(p) }
	}
	to := func(path string) func(string) bool { return func(p string) bool { return below(p, path) } }
	channel := func(p string) bool {
		return strings.HasPrefix(p, "internal/channel/") && !below(p, "internal/channel/httpsend") && !below(p, "internal/channel/channeltest") && !below(p, "internal/channel/registry")
	}
	rules := []rule{
		{"only cli, daemon and config import the admin server", except("internal/cli", "internal/daemon", "internal/config", "internal/obs/admin"), to("internal/obs/admin")},
		{"only cli, daemon and config import the registry of channels", except("internal/cli", "internal/daemon", "internal/config", "internal/channel/registry"), to("internal/channel/registry")},
		{"a rule knows nothing of Kafka", from("internal/rule"), to(kgo)},
		{"expressions know nothing of rules and Kafka", from("internal/expr"), func(p string) bool { return below(p, "internal/rule") || below(p, kgo) }},
		{"the rules file knows nothing of rules", from("internal/rulesfile"), to("internal/rule")},
		{"syntax trees know of ours only events and durations", from("internal/expr/tree"), func(p string) bool {
			return below(p, "internal") && p != "internal/event" && p != "internal/duration"
		}},
		{"what expressions calculate knows of ours only events and alerts", from("internal/expr/calc"), func(p string) bool {
			return below(p, "internal") && p != "internal/event" && p != "internal/alert"
		}},
		{"a channel knows nothing of Kafka", channel, to(kgo)},
		{"a backtest knows nothing of Kafka", from("internal/backtest"), to(kgo)},
		{"ingest knows nothing of dispatch", from("internal/ingest"), to("internal/dispatch")},
		{"dispatch knows nothing of ingest", from("internal/dispatch"), to("internal/ingest")},
		{"reading what was written is no consuming, and knows no rule", from("internal/history"), func(p string) bool { return below(p, "internal/consume") || below(p, "internal/rule") }},
		{"dead letters know nothing of consuming", from("internal/dlq"), to("internal/consume")},
		{"a notice is sent by what notices something, which it does not know", from("internal/notice"), func(p string) bool {
			return below(p, "internal") && p != "internal/alert" && p != "internal/envelope" && p != "internal/offsets"
		}},
		{"throttles know nothing of Kafka, nor of who asks", from("internal/throttle"), func(p string) bool {
			return below(p, "internal/dispatch") || below(p, "internal/consume") || below(p, kgo)
		}},
		{"trouble knows nothing of dispatch", from("internal/trouble"), to("internal/dispatch")},
		{"only devbroker and testkafka know kfake", except("internal/devbroker", "internal/testkafka"), to(kfake)},
		{"only schema knows a library for Avro", except("internal/schema"), to("github.com/twmb/avro")},
		{"only schema knows a compiler for Protobuf", except("internal/schema"), to("github.com/bufbuild/protocompile")},
		{"events know nothing of schema registries", from("internal/event", "internal/schema"), to(kgo)},
		{"only tracing knows OpenTelemetry", except("internal/obs/tracing"), to("go.opentelemetry.io")},
		{"tracing knows nothing of ours but YAML and how to reach out", from("internal/obs/tracing"), func(p string) bool {
			return below(p, "internal") && p != "internal/yamldoc" && p != "internal/egress"
		}},
		{"the log knows of ours only what it takes out of texts", from("internal/obs/logging"), func(p string) bool { return below(p, "internal") && p != "internal/alert" && p != "internal/secret" }},
		{"a calendar knows of ours only YAML and suggestions", from("internal/calendar"), func(p string) bool {
			return below(p, "internal") && p != "internal/yamldoc" && p != "internal/suggest"
		}},
		{"a schema knows of ours only events, YAML's faults and files", from("internal/eventschema"), func(p string) bool {
			return below(p, "internal") && p != "internal/event" && p != "internal/yamldoc" && p != "internal/safefile"
		}},
		{"only eventschema knows the library of JSON Schemas", except("internal/eventschema"), to("github.com/santhosh-tekuri/jsonschema")},
		{"topics know nothing of ours", from("internal/topics"), to("internal")},
		{"outcomes know nothing of ours", from("internal/outcome"), to("internal")},
		{"checks know nothing of ours", from("internal/check"), to("internal")},
		{"secrets know nothing of ours", from("internal/secret"), to("internal")},
		{"telling systemd knows nothing of ours", from("internal/sdnotify"), to("internal")},
	}
	seen := 0
	for _, p := range packages(t) {
		for _, imported := range p.Imports {
			imported = strings.TrimPrefix(imported, module)
			for _, r := range rules {
				if r.who(p.ImportPath) && r.not(imported) {
					t.Errorf("%s imports %s: %s", p.ImportPath, imported, r.what)
				}
			}
			if channel(p.ImportPath) && channel(imported) && !below(imported, p.ImportPath) && !below(p.ImportPath, imported) {
				t.Errorf("%s imports %s: a channel knows nothing of another", p.ImportPath, imported)
			}
			seen++
		}
	}
	if seen < 100 {
		t.Errorf("only %d imports were looked at", seen)
	}
}

// TestDaemonIsTheOnlyWiring holds, tests included, that nothing but internal/daemon
// puts the stages together: the command, the end-to-end tests and the benchmarks
// start it.
func TestDaemonIsTheOnlyWiring(t *testing.T) {
	importers := map[string][]string{ // of a package, besides itself and what is below it
		"go.uber.org/fx":  {"internal/daemon"},
		"internal/config": {"internal/cli", "internal/daemon"},
		"internal/cli":    {"cmd"},
		"internal/daemon": {"internal/cli", "internal/endtoend", "bench"},
	}
	// The simulation steps both stages in one goroutine and starts neither.
	both := []string{"internal/daemon", "internal/simulation"}
	in := func(path string, dirs []string) bool {
		return slices.ContainsFunc(dirs, func(dir string) bool { return below(path, dir) })
	}
	met := make(map[string]bool)
	for _, p := range packages(t) {
		imports := p.all()
		for path, allowed := range importers {
			if !slices.ContainsFunc(imports, func(i string) bool { return below(i, path) }) || below(p.ImportPath, path) {
				continue
			}
			met[path] = true
			if !in(p.ImportPath, allowed) {
				t.Errorf("%s imports %s: only %s may", p.ImportPath, path, strings.Join(allowed, ", "))
			}
		}
		if slices.Contains(imports, "internal/ingest") && slices.Contains(imports, "internal/dispatch") && !in(p.ImportPath, both) {
			t.Errorf("%s imports ingest and dispatch: only %s may", p.ImportPath, strings.Join(both, ", "))
		}
		for _, i := range imports {
			if below(p.ImportPath, "cmd") && below(i, "internal") && i != "internal/cli" {
				t.Errorf("%s imports %s: it is the command line's main and nothing else", p.ImportPath, i)
			}
		}
	}
	if len(met) != len(importers) {
		t.Errorf("imports of %v only were found", met)
	}
}

func TestOnlyOneFileImportsFx(t *testing.T) {
	out, err := exec.Command("grep", "-rl", "--include=*.go", `"go.uber.org/fx"`, "..").Output()
	if err != nil {
		t.Fatal(err)
	}
	for file := range strings.FieldsSeq(string(out)) {
		if file != "../internal/daemon/graph.go" && !strings.HasSuffix(file, "_test.go") {
			t.Errorf("%s imports fx", file)
		}
	}
}

// TestNothingSleeps: a wait that nothing can end holds up a stop, and a
// test cannot steer it.
func TestNothingSleeps(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte("time.Sleep(")) {
			t.Errorf("%s sleeps", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

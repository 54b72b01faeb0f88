package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/yamldoc"
)

const faulty = `kafka: {brokers: [], sesion_timeout: 15s}
kafka: {}
rules: rules.yaml
channels: {desk: {console: {}}, mail: {console: {}, fallback: {to: dsek}}, hook: {webhook: {url: "https://a.example.com/", secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}}}
shutdown: {drain: 1m}
`

const faultyRules = `version: 1
vars: {unused: 1}
rules:
  - {name: "ä", topic: trade-executions, when: "event.ä == 'ö' and", to: [desk], title: x}
  - {name: b, topic: trade-executions, when: event.symbl == "AAPL", to: [nobody], title: "{{ event.symbol }}"}
  - {name: c, topic: trade-executions, when: event.event_type == event.event_type, to: [desk]}
`

// TestSARIFIsValidAndSaysTheSame as JSON: it is valid by the standard's schema, and each
// fault has the same place, level and kind, which is one of the rules.
func TestSARIFIsValidAndSaysTheSame(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("testdata/sarif-2.1.0.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.Mkdir("my configs", 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"notifier.yaml": faulty, "rules.yaml": faultyRules, "good.yaml": "channels: {desk: {console: {}}}\nrules: good-rules.yaml\n", "good-rules.yaml": "version: 1\nvars: {unused: 1}\n", "no.yaml": "a: [\n"} {
		if err := os.WriteFile(filepath.Join("my configs", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kinds := make(map[yamldoc.Kind]bool)
	for _, line := range []string{"config check -c X/notifier.yaml", "rules check X/rules.yaml -c X/notifier.yaml", "rules check " + filepath.Join(dir, "X/rules.yaml"), "config check -c X/good.yaml", "rules check X/no.yaml"} {
		run := func(format string) ([]byte, int) {
			var out bytes.Buffer
			args := append(strings.Fields(line), "-o", format)
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], "X/", "my configs/")
			}
			code := Run(t.Context(), args, base.Streams{In: strings.NewReader(""), Out: &out, Err: new(bytes.Buffer)})
			return out.Bytes(), code
		}
		data, code := run("sarif")
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err == nil {
			err = schema.Validate(doc)
		}
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
		var sarif struct {
			Runs []struct {
				Tool struct {
					Driver struct{ Rules []struct{ ID string } }
				}
				Results []struct {
					RuleID, Level string
					RuleIndex     int
					Message       struct{ Text string }
					Locations     []struct {
						PhysicalLocation struct {
							ArtifactLocation struct{ URI string }
							Region           struct{ StartLine, StartColumn int }
						}
					}
				}
			}
		}
		var want struct {
			Faults []struct {
				File, Path, Level, Message string
				Line, Column               int
				Kind                       yamldoc.Kind
			}
		}
		plain, plainCode := run("json")
		if err := json.Unmarshal(data, &sarif); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(plain, &want); err != nil {
			t.Fatal(err)
		}
		if code != plainCode || len(sarif.Runs) != 1 || len(sarif.Runs[0].Results) != len(want.Faults) {
			t.Fatalf("%s: exit %d and %d\n%s\n%s", line, code, plainCode, data, plain)
		}
		for i, r := range sarif.Runs[0].Results {
			f, at := want.Faults[i], r.Locations[0].PhysicalLocation
			kinds[f.Kind] = true
			rules := sarif.Runs[0].Tool.Driver.Rules
			if r.RuleID != string(f.Kind) || rules[r.RuleIndex].ID != r.RuleID || r.Level != f.Level || !strings.HasSuffix(r.Message.Text, f.Message) {
				t.Errorf("%s: %+v, want %+v", line, r, f)
			}
			if f.Line > 0 && (at.Region.StartLine != f.Line || at.Region.StartColumn != f.Column) || !strings.HasPrefix(at.ArtifactLocation.URI, "my%20configs/") {
				t.Errorf("%s: %+v, want %s:%d:%d", line, at, f.File, f.Line, f.Column)
			}
		}
	}
	for _, k := range yamldoc.Kinds() {
		rare := []yamldoc.Kind{yamldoc.Sample}
		if !kinds[k.Kind] && !slices.Contains(rare, k.Kind) {
			t.Errorf("no fault is of the kind %s", k.Kind)
		}
	}
}

package schema_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/config/schema"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/ruletest"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// decoders are what really reads the files.
func decoders(t *testing.T) map[string]func(data []byte) yamldoc.Faults {
	dir := t.TempDir()
	return map[string]func(data []byte) yamldoc.Faults{
		"notifier": func(data []byte) yamldoc.Faults {
			file := filepath.Join(dir, "notifier.yaml")
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, faults, err := config.LoadBase(config.Source{File: file, Getenv: func(string) string { return "" }})
			if err != nil {
				t.Fatal(err)
			}
			return faults.Errors()
		},
		"rules": func(data []byte) yamldoc.Faults {
			_, faults := rule.Compile("rules.yaml", data, rule.Environment{})
			_, more := ruletest.Parse("rules.yaml", data, true)
			return append(faults, more...).Errors()
		},
		"rules.test": func(data []byte) yamldoc.Faults {
			_, faults := ruletest.Parse("rules.test.yaml", data, false)
			return faults.Errors()
		},
	}
}

func compiled(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(files[name](root).JSON()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json") // against the meta-schema of the draft
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// rich is a file with every key.
func rich(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestSchemasAcceptWhatIsShipped, and the decoders too.
func TestSchemasAcceptWhatIsShipped(t *testing.T) {
	uncommented := regexp.MustCompile(`(?m)^( *)#(\S.*)$`).ReplaceAll(configs.Notifier, []byte("$1$2"))
	for name, list := range map[string][][]byte{
		"notifier":   {configs.Notifier, uncommented, rich(t, "notifier"), []byte("channels: {desk: {console: }}\nkafka:\n")},
		"rules":      {configs.Rules, rich(t, "rules"), []byte("version: 1\nrules:\n")},
		"rules.test": {configs.RuleTests, rich(t, "rules.test"), nil},
	} {
		s, decode := compiled(t, name), decoders(t)[name]
		for i, data := range list {
			if err := s.Validate(value(t, parsed(t, data))); err != nil {
				t.Errorf("%s %d: %v", name, i, err)
			}
			if faults := decode(data); len(faults) > 0 && !bytes.Contains(data, []byte("env:")) { // not set here
				t.Errorf("%s %d: %v", name, i, faults)
			}
		}
	}
}

var knownKeys = regexp.MustCompile(`unknown key; known keys: (.*)$`)

// TestSchemasKnowTheKeysOfTheDecoder: in every mapping of a file with all keys, the
// decoder, asked for a key that cannot exist, lists those of the schema.
func TestSchemasKnowTheKeysOfTheDecoder(t *testing.T) {
	const alien = "qqqqqqqqqqqqqqqqqqqqqqqq"
	for name, of := range files {
		asked := 0
		decode := decoders(t)[name]
		doc := parsed(t, rich(t, name))
		var walk func(n *yaml.Node, s *schema.Schema, path string)
		walk = func(n *yaml.Node, s *schema.Schema, path string) {
			if n.Kind == yaml.SequenceNode {
				for i, item := range n.Content {
					walk(item, pick(s, item, func(s *schema.Schema) *schema.Schema { return s.Items }), fmt.Sprintf("%s[%d]", path, i))
				}
			}
			if n.Kind != yaml.MappingNode {
				return
			}
			if object := pick(s, n, func(s *schema.Schema) *schema.Schema { return s }); object != nil && object.Others == false {
				key := &yaml.Node{Kind: yaml.ScalarNode, Value: alien}
				n.Content = append(n.Content, key, &yaml.Node{Kind: yaml.ScalarNode, Value: "1"})
				faults := decode(text(t, doc))
				n.Content = n.Content[:len(n.Content)-2]
				i := slices.IndexFunc(faults, func(f yamldoc.Fault) bool { return strings.HasSuffix(f.Path, alien) })
				switch {
				case i < 0:
					t.Errorf("%s %s: the decoder accepts any key: %v", name, path, faults)
				default:
					asked++
					var keys []string
					for key := range object.Properties {
						keys = append(keys, key)
					}
					if m := knownKeys.FindStringSubmatch(faults[i].Message); m != nil {
						known := strings.FieldsFunc(m[1], func(r rune) bool { return r == ',' || r == ' ' })
						slices.Sort(known)
						slices.Sort(keys)
						if !slices.Equal(known, keys) {
							t.Errorf("%s %s: the decoder knows %v, the schema %v", name, path, known, keys)
						}
					}
				}
			}
			object := pick(s, n, func(s *schema.Schema) *schema.Schema { return s })
			for i := 0; object != nil && i < len(n.Content); i += 2 {
				child := object.Properties[n.Content[i].Value]
				if others, ok := object.Others.(*schema.Schema); child == nil && ok {
					child = others
				}
				if child != nil {
					walk(n.Content[i+1], child, path+"."+n.Content[i].Value)
				}
			}
		}
		s := of(root)
		walk(doc.Content[0], s, "")
		if least := map[string]int{"notifier": 30, "rules": 10, "rules.test": 4}[name]; asked < least {
			t.Errorf("%s: %d mappings were looked at, want %d", name, asked, least)
		}
		for _, key := range missing(s, doc.Content[0], "") {
			t.Errorf("%s: testdata lacks %s", name, key)
		}
	}
}

// pick returns the alternative of a schema that is for a node.
func pick(s *schema.Schema, n *yaml.Node, get func(*schema.Schema) *schema.Schema) *schema.Schema {
	if s == nil {
		return nil
	}
	for _, one := range append([]*schema.Schema{s}, s.AnyOf...) {
		switch {
		case n.Kind == yaml.MappingNode && (one.Properties != nil || one.Others != nil):
			return get(one)
		case one.Items != nil && get(one) != one:
			return get(one)
		}
	}
	return nil
}

// missing returns the keys of a schema that a document has nowhere.
func missing(s *schema.Schema, doc *yaml.Node, path string) (list []string) {
	here := func(key string) bool {
		found := false
		each(doc, func(n *yaml.Node) {
			for i := 0; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
				found = found || n.Content[i].Value == key
			}
		})
		return found
	}
	if s == nil {
		return nil
	}
	for key, child := range s.Properties {
		if !here(key) {
			list = append(list, path+"."+key)
		}
		list = append(list, missing(child, doc, path+"."+key)...)
	}
	if others, ok := s.Others.(*schema.Schema); ok {
		list = append(list, missing(others, doc, path+".*")...)
	}
	list = append(list, missing(s.Items, doc, path+"[]")...)
	for _, one := range s.AnyOf {
		list = append(list, missing(one, doc, path)...)
	}
	return list
}

func each(n *yaml.Node, do func(*yaml.Node)) {
	do(n)
	for _, c := range n.Content {
		each(c, do)
	}
}

func parsed(t *testing.T, data []byte) *yaml.Node {
	t.Helper()
	var n yaml.Node
	if err := yaml.Unmarshal(data, &n); err != nil {
		t.Fatal(err)
	}
	if n.Kind == 0 {
		n = yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode}}}
	}
	return &n
}

func text(t *testing.T, doc *yaml.Node) []byte {
	t.Helper()
	data, err := yaml.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// value returns a node as an editor sees it, in YAML's core schema: a date is a text.
func value(t *testing.T, n *yaml.Node) any {
	t.Helper()
	switch n.Kind {
	case yaml.DocumentNode:
		return value(t, n.Content[0])
	case yaml.MappingNode:
		m := make(map[string]any)
		for i := 0; i < len(n.Content); i += 2 {
			m[n.Content[i].Value] = value(t, n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range n.Content {
			list = append(list, value(t, item))
		}
		return list
	}
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return n.Value == "true"
	case "!!int", "!!float":
		f, err := strconv.ParseFloat(n.Value, 64)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	return n.Value
}

// beyond are the faults that no schema finds: they concern several keys, other files and
// systems, bounds of texts such as durations, and forms with a parser of their own.
var beyond = regexp.MustCompile(strings.Join([]string{
	// several keys
	`is missing`, `^needs `, `belong together`, `duplicate`, `has no channel`, `is only for the preset`, `is not a part of key`, `has no effect`, `excludes`,
	`is the channel itself`, `is shorter than (initial|window)`, `is the same as when`, `must be longer`, `is more than email`, `must be smaller`, `a burst needs a rate`,
	`cannot be dropped`, `is none, yet`, `at most \d+ partitions`, `is always on`, `is never on`, `set while tls`, `would travel in the clear`, `is a route: name channels`,
	// names that are defined elsewhere
	`there is no channel`, `unknown (calendar|channel)`, `vars\.\S+ is not defined`,
	// files and systems
	`cannot read`, `unknown time zone`,
	// bounds of durations and sizes
	`^\S+ is not between`, `is less than`, `is shorter than 1m`, `is longer than 30d`, `is negative`, `is no time: remove`,
	// forms: expressions, addresses, keys, times
	`unknown name`, `the operator `, `the expression is empty`, `durations are numbers`, `write info, warning or critical, or a conditional`,
	`has no port`, `is not host:port`, `is not a host and a port`, `needs a host and a port`, `is not an address`, `is not a host name`, `invalid host name`, `invalid path`,
	`is not a URL`, `must begin with https`, `is not a proxy`, `is not the URL of`, `is not a web address`, `is not a channel id`, `is not a chat's id`,
	`integration key`, `is not a bot's token`, `no token has`, `which is too short`, `is not base64`, `is not a time`, `has \d+ bytes, the minimum`, `is not a header name`,
	`is empty: (name|write)`, `must list at least`, `lists (no|\d+) secrets?`, `is not one of PLAIN`,
}, "|"))

// TestSchemasAgreeWithTheDecoder draws documents: files with every key, with some of their
// values and keys changed. What a schema refuses, the decoder refuses too; what only the
// decoder refuses is a fault of the kinds in beyond.
func TestSchemasAgreeWithTheDecoder(t *testing.T) {
	const rounds = 400
	for name := range files {
		t.Run(name, func(t *testing.T) {
			s, decode := compiled(t, name), decoders(t)[name]
			r := rand.New(rand.NewPCG(1, 2))
			both, schemaOnly, decoderOnly := 0, 0, make(map[string]int)
			for range rounds {
				doc := parsed(t, rich(t, name))
				what := change(r, doc)
				data := text(t, doc)
				doc = parsed(t, data)
				err, faults := s.Validate(value(t, doc)), decode(data)
				switch {
				case err != nil && len(faults) > 0:
					both++
				case err != nil:
					schemaOnly++
					t.Errorf("%s: only the schema refuses it: %v", what, err)
				case len(faults) > 0:
					for _, f := range faults {
						if !beyond.MatchString(f.Message) {
							decoderOnly[regexp.MustCompile(`".*?"|\d+`).ReplaceAllString(f.Message, "…")]++
							t.Logf("%s: only the decoder refuses it: %s", what, f)
						}
					}
				}
			}
			if len(decoderOnly) > 0 {
				t.Errorf("only the decoder: %v", decoderOnly)
			}
			if both < rounds/4 {
				t.Errorf("only %d of %d documents were refused by both", both, rounds)
			}
		})
	}
}

// change changes one node of a document, and says how.
func change(r *rand.Rand, doc *yaml.Node) string {
	var nodes []*yaml.Node
	each(doc.Content[0], func(n *yaml.Node) { nodes = append(nodes, n) })
	values := []string{"zz", "-1", "5", "100000", "1.5", "true", "null", "[]", "{}", "[zz]", "[5, 6]", "{zz: 1}", "5m", "1/s", `""`, "200..299", "critical", "[[zz]]"}
	for {
		n := nodes[r.IntN(len(nodes))]
		switch i := r.IntN(4); {
		case i == 0 && n.Kind == yaml.MappingNode && len(n.Content) > 0: // another key
			key := n.Content[2*r.IntN(len(n.Content)/2)]
			was := key.Value
			key.Value += "x"
			return "key " + was + " → " + key.Value
		case i == 1 && n.Kind == yaml.MappingNode && len(n.Content) > 0: // a key less
			at := 2 * r.IntN(len(n.Content)/2)
			was := n.Content[at].Value
			n.Content = slices.Delete(n.Content, at, at+2)
			return "without " + was
		case i == 2 && n.Kind == yaml.SequenceNode && len(n.Content) > 0: // an element twice
			n.Content = append(n.Content, n.Content[0])
			return "twice " + n.Content[0].Value
		case i == 3 && n.Kind == yaml.MappingNode && len(n.Content) > 0, i == 3 && n.Kind == yaml.SequenceNode && len(n.Content) > 0: // another value
			at := r.IntN(len(n.Content))
			if n.Kind == yaml.MappingNode {
				at |= 1
			}
			what := values[r.IntN(len(values))]
			var other yaml.Node
			if err := yaml.Unmarshal([]byte(what), &other); err != nil {
				panic(err)
			}
			was := n.Content[at].Value
			if n.Kind == yaml.MappingNode {
				was = n.Content[at-1].Value + ": " + was
			}
			n.Content[at] = other.Content[0]
			return was + " → " + what
		}
	}
}

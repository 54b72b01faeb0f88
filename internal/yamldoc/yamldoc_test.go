package yamldoc_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/yamldoc"
)

type thing struct {
	Name string   `yaml:"name"`
	To   []string `yaml:"to"`
}

type file struct {
	Version int     `yaml:"version"`
	Things  []thing `yaml:"things"`
}

func TestSyntaxErrorHasTheLineThatBreaksIt(t *testing.T) {
	for text, place := range map[string]string{
		"version: 1\n\tthings: x\n":                                          "2:1",
		"version: 1\nthings:\n  - name: a\n    to: [b]\n   to: [c]\n":        "5:4",
		"version: 1\nthings:\n  - name: a\n    to: [b\n  - name: b\n":        "4:5",
		"version: 1\nthings:\n  - name: \"a\n    to: [b]\n  - name: \"c\"\n": "3:3",
		"version: 1\nthings: [\n  {name: a},\n  {name: b}\n]\nx: ]\n":        "6:1",
		"version: *one\n": "1:1",
		"version: 1\nthings: &all\n  - name: a\n  - *all\n": "4:3",
	} {
		faults := yamldoc.Decode("f.yaml", "", []byte(text), &file{})
		if len(faults) != 1 || !strings.HasPrefix(faults[0].String(), "f.yaml:"+place+": not YAML: ") {
			t.Errorf("%q: %v, want it at %s", text, faults, place)
		}
	}
}

// checked reads its keys itself, and again after decoding.
type checked struct{ wait string }

func (c *checked) UnmarshalYAMLDoc(at yamldoc.Cursor) {
	for _, k := range at.Keys() {
		c.wait, _ = k.Value.Scalar()
	}
	_ = at.Keys()
	if text, _ := at.Field("wait").Scalar(); text != c.wait {
		at.Field("wait").Fault("decoded %s, checked %s", c.wait, text)
	}
}

func TestDuplicateKeyIsOneFault(t *testing.T) {
	var target struct {
		Thing checked `yaml:"thing"`
	}
	faults := yamldoc.Decode("f.yaml", "", []byte("thing:\n  wait: 1s\n  wait: 2s\n"), &target)
	if got, want := faults.Error(), "f.yaml:3:3: thing.wait: duplicate key, first in line 2"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestRecursiveAliasHasNoPlaces(t *testing.T) {
	if places := yamldoc.Places("f.yaml", []byte("things: &a {to: *a}\n")); len(places) > 0 {
		t.Error(places)
	}
}

func TestSecondDocumentIsAFault(t *testing.T) {
	faults := yamldoc.Decode("f.yaml", "", []byte("---\nversion: 1\n---\nthings: []\n"), &file{})
	if got, want := faults.Error(), "f.yaml:3:1: a second document begins here: write one document per file"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if faults := yamldoc.Decode("f.yaml", "", []byte("---\nversion: 1\n...\n"), &file{}); len(faults) > 0 {
		t.Errorf("one document with its markers: %v", faults)
	}
}

func TestFaultWithoutFileHasNoLine(t *testing.T) {
	f := yamldoc.Fault{Pos: yamldoc.Pos{File: "flag", Path: "log.level"}, Message: "is wrong"}
	if got := f.String(); got != "flag: log.level: is wrong" {
		t.Error(got)
	}
}

// TestNestedAliasesAreBounded: ten lines that expand to ten billion values are
// one fault; ten thousand values are none.
func TestNestedAliasesAreBounded(t *testing.T) {
	bomb := func(levels int) []byte {
		text := "a0: &a0 x\n"
		for i := 1; i <= levels; i++ {
			text += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10))
		}
		return []byte(text)
	}
	var target struct {
		A0 string `yaml:"a0"`
	}
	faults := yamldoc.Decode("f", "", bomb(10), &target)
	if len(faults) != 1 || faults[0].String() != "f: more than 100000 values, with aliases (*name) expanded" {
		t.Errorf("%v", faults)
	}
	if places := yamldoc.Places("f", bomb(10)); len(places) != 0 {
		t.Errorf("%d places", len(places))
	}
	if faults := yamldoc.Decode("f", "", bomb(4), &target); len(faults) != 4 { // four unknown keys
		t.Errorf("ten thousand values: %v", faults)
	}
}

func TestLargeFilesAreRejected(t *testing.T) {
	var target struct{}
	faults := yamldoc.Decode("f", "", bytes.Repeat([]byte("#\n"), yamldoc.MaxBytes/2+1), &target)
	if len(faults) != 1 || faults[0].String() != "f: larger than 1 MiB" {
		t.Errorf("%v", faults)
	}
}

// TestSyntaxErrorOfLongFileHasAPlace: the search for the place is bounded, then
// the parser's line is used.
func TestSyntaxErrorOfLongFileHasAPlace(t *testing.T) {
	var target struct{}
	data := append([]byte("a: 1\nb: [\n"), bytes.Repeat([]byte("c: \"x\n"), 50_000)...)
	faults := yamldoc.Decode("f", "", data, &target)
	if len(faults) != 1 || faults[0].Line == 0 || !strings.HasPrefix(faults[0].Message, "not YAML: ") {
		t.Errorf("%v", faults)
	}
}

// TestFaultsShowNoCredential: a token in the wrong place is not shown.
func TestFaultsShowNoCredential(t *testing.T) {
	for _, text := range []string{
		"xoxb-1234567890-hunter: 1", "wait: xoxb-1234567890-hunter", "wait: 'https://hunter:hunter22@example.com'", "list: {password: hunter}",
		"password: [hunter]", "passwort: hunter", "inner: hunter0123456789abcdefghijklmnopqrstuvwxyzA", "inner: Bearer hunter0123456789",
		"0123456789abcdefABCDEF0123456789hunter: {xoxb-1234567890-hunter: 1}", "number: 'Basic aHVudGVyOmh1bnRlcg=='", "token: hunter22",
		"a: &hunter0123456789abcdefghijklmnopqrstuvwxyzA [\n", "a: *hunter0123456789abcdefghijklmnopqrstuvwxyzA",
	} {
		var target struct {
			Wait     time.Duration     `yaml:"wait"`
			List     []string          `yaml:"list"`
			Password int               `yaml:"password"`
			Token    time.Duration     `yaml:"token"`
			Number   int               `yaml:"number"`
			Inner    map[string]string `yaml:"inner"`
		}
		faults := yamldoc.Decode("f", "", []byte(text), &target)
		if len(faults) == 0 || strings.Contains(faults.Error(), "hunter") || strings.Contains(faults.Error(), "aHVudGVy") {
			t.Errorf("%s: %v", text, faults)
		}
	}
}

// TestUnquotedTextsAreFaultsWithRemedy: YAML reads them as something else.
func TestUnquotedTextsAreFaultsWithRemedy(t *testing.T) {
	for text, want := range map[string]string{
		"name: {{ event.x }}\n":            "f:1:7: name: put a text with {{ in quotes: \"{{ … }}\"",
		"to: [{{ event.x }}]\n":            "f:1:6: to[0]: put a text with {{ in quotes: \"{{ … }}\"",
		"name: {{ event.x }} on y\n":       "f:1:1: not YAML: did not find expected key: put a text with {{ in quotes",
		"name: {{ f(x, \"15:04\") }}\n":    "f:1:1: not YAML: did not find expected ',' or '}': put a text with {{ in quotes",
		"name: Alert: {{ event.x }}\n":     "f:1:1: not YAML: mapping values are not allowed in this context: put a text with {{ in quotes",
		"name: Alert: high\n":              "f:1:1: not YAML: mapping values are not allowed in this context: put a text with a colon and a space in quotes",
		"name: \"a\" == event.x\n":         "f:1:1: not YAML: did not find expected key: put the whole text in quotes of the other kind",
		"to:\n  - 'a' in event.list\n":     "f:2:3: not YAML: did not find expected '-' indicator: put the whole text in quotes of the other kind",
		"name: @desk\n":                    "f:1:1: not YAML: found character that cannot start any token: put a text that begins with @, %, * or a backquote in quotes",
		"name: !has(event.x)\n":            "f:1:7: name: YAML reads a text that begins with ! as a tag: put it in quotes",
		"base: &b {name: a}\n<<: *b\n":     "f:1:1: base: unknown key; known keys: name, to, wait\nf:2:1: <<: merge keys (<<) are not supported: write the keys here, or use an alias (*name) as a whole value",
		"wait: 5 minutes\n":                "f:1:7: wait: \"5 minutes\" is not a duration: write it as 500ms, 30s, 5m, 1h, 7d or 1w",
		"name: 'a: b {{ x }}'\nwait: 7d\n": "",
	} {
		var target struct {
			Name yamldoc.Scalar   `yaml:"name"`
			To   []yamldoc.Scalar `yaml:"to"`
			Wait time.Duration    `yaml:"wait"`
		}
		if got := yamldoc.Decode("f", "", []byte(text), &target).Error(); got != want {
			t.Errorf("%q:\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestTextCutOffByCommentIsAWarning(t *testing.T) {
	var target struct {
		Name yamldoc.Scalar `yaml:"name"`
	}
	faults := yamldoc.Decode("f", "", []byte("name: Order #5 of {{ event.x }}\n"), &target)
	if want := "f:1:7: warning: name: a # behind a space begins a comment: put the text in quotes"; faults.Error() != want {
		t.Errorf("%s", faults)
	}
	if faults := yamldoc.Decode("f", "", []byte("name: Order # the title\n"), &target); len(faults) > 0 {
		t.Errorf("a comment: %v", faults)
	}
}

// TestLimitsOfTagsAreChecked: a value outside of them is a fault at its place, one that
// has a fault already or no value in the file is none.
func TestLimitsOfTagsAreChecked(t *testing.T) {
	for text, want := range map[string]string{
		"count: 0\n":             "f:1:8: count: 0 is not between 1 and 1024",
		"count: 1024\n":          "",
		"count: x\n":             `f:1:8: count: "x" is not a whole number`,
		"wait: 5s\n":             "f:1:7: wait: 5s is not between 6s and 30m, the brokers' limits",
		"wait: 7d\n":             "f:1:7: wait: 168h is not between 6s and 30m, the brokers' limits",
		"size: 512KiB\n":         "f:1:7: size: 512KiB is less than 1MiB",
		"size: 1MiB\n":           "",
		"ratio: NaN\n":           "f:1:8: ratio: NaN is not between 0 and 1",
		"ratio: 1.5\n":           "f:1:8: ratio: 1.5 is not between 0 and 1",
		"most: 8\n":              "f:1:7: most: 8 is more than 7",
		"format: jsn\n":          `f:1:9: format: "jsn" is not one of auto, text and json: did you mean json?`,
		"format: ''\n":           "",
		"format: yes, please\n":  `f:1:9: format: "yes, please" is not one of auto, text and json`,
		"count: 7\nformat: text": "",
	} {
		var target struct {
			Count  int           `yaml:"count" range:"1..1024"`
			Wait   time.Duration `yaml:"wait" range:"6s..30m, the brokers' limits"`
			Size   yamldoc.Size  `yaml:"size" range:"1MiB.."`
			Ratio  float64       `yaml:"ratio" range:"0..1"`
			Most   int           `yaml:"most" range:"..7"`
			Format string        `yaml:"format" oneof:",auto,text,json"`
		}
		if got := yamldoc.Decode("f", "", []byte(text), &target).Error(); got != want {
			t.Errorf("%q:\n got %s\nwant %s", text, got, want)
		}
	}
}

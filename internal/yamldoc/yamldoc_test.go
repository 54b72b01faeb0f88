package yamldoc_test

import (
	"strings"
	"testing"

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

func TestWhatIsNotYAMLIsNamedWithTheLineThatBreaksIt(t *testing.T) {
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

func TestAnAliasInsideOfWhatItMeansEndsNothing(t *testing.T) {
	if places := yamldoc.Places("f.yaml", []byte("things: &a {to: *a}\n")); len(places) > 0 {
		t.Error(places)
	}
}

func TestASecondDocumentIsAFault(t *testing.T) {
	faults := yamldoc.Decode("f.yaml", "", []byte("---\nversion: 1\n---\nthings: []\n"), &file{})
	if got, want := faults.Error(), "f.yaml:3:1: a second document begins here, which nobody reads: write one document a file"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if faults := yamldoc.Decode("f.yaml", "", []byte("---\nversion: 1\n...\n"), &file{}); len(faults) > 0 {
		t.Errorf("one document with its marks: %v", faults)
	}
}

func TestAFaultOutsideAFileHasNoLine(t *testing.T) {
	f := yamldoc.Fault{Pos: yamldoc.Pos{File: "flag", Path: "log.level"}, Message: "is wrong"}
	if got := f.String(); got != "flag: log.level: is wrong" {
		t.Error(got)
	}
}

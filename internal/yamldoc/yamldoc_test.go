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

// TestAliasesOfAliasesAreBounded: ten lines that mean ten billion values are
// one fault, at once, and what a file reasonably repeats is none.
func TestAliasesOfAliasesAreBounded(t *testing.T) {
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
	if len(faults) != 1 || faults[0].String() != "f: it holds more than 100000 values, aliases (*name) counted as what they mean" {
		t.Errorf("%v", faults)
	}
	if places := yamldoc.Places("f", bomb(10)); len(places) != 0 {
		t.Errorf("%d places", len(places))
	}
	if faults := yamldoc.Decode("f", "", bomb(4), &target); len(faults) != 4 { // four unknown keys
		t.Errorf("ten thousand values: %v", faults)
	}
}

func TestLargeFilesAreRefused(t *testing.T) {
	var target struct{}
	faults := yamldoc.Decode("f", "", bytes.Repeat([]byte("#\n"), yamldoc.MaxBytes/2+1), &target)
	if len(faults) != 1 || faults[0].String() != "f: it is larger than 1 MiB, which no configuration needs" {
		t.Errorf("%v", faults)
	}
}

// TestLongFileThatIsNoYAMLHasAPlace: the place of the fault is looked
// for within a bound, and is then the one that the parser names.
func TestLongFileThatIsNoYAMLHasAPlace(t *testing.T) {
	var target struct{}
	data := append([]byte("a: 1\nb: [\n"), bytes.Repeat([]byte("c: \"x\n"), 50_000)...)
	faults := yamldoc.Decode("f", "", data, &target)
	if len(faults) != 1 || faults[0].Line == 0 || !strings.HasPrefix(faults[0].Message, "not YAML: ") {
		t.Errorf("%v", faults)
	}
}

// TestFaultsShowNoCredential: a token stands where it does not belong.
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

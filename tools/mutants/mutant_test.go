package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

const sample = `# a comment
first
file a.go
test ./a -run TestA
-	return 1
+	return 2

second
file b.go
test -tags x ./b
-	one()
-	two()
+	two()
-three
+four
long
`

func TestParseReadsParagraphs(t *testing.T) {
	list, err := parse(sample)
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	if m := list[1]; m.name != "second" || m.file != "b.go" || !reflect.DeepEqual(m.changes, []change{{[]string{"\tone()", "\ttwo()"}, []string{"\ttwo()"}}, {[]string{"three"}, []string{"four"}}}) || len(m.command) != 3 || !m.long {
		t.Errorf("%+v", m)
	}
}

func TestParseRefusesIncompleteMutants(t *testing.T) {
	for name, text := range map[string]string{
		"no file":    "a\ntest ./a\n-x\n+y\n",
		"no test":    "a\nfile a.go\n-x\n+y\n",
		"no change":  "a\nfile a.go\ntest ./a\n-x\n+x\n",
		"stray line": "a\nfile a.go\ntest ./a\nwhat\n-x\n+y\n",
		"same name":  "a\nfile a.go\ntest ./a\n-x\n+y\n\na\nfile a.go\ntest ./a\n-x\n+y\n",
	} {
		if list, err := parse(text); err == nil {
			t.Errorf("%s: %+v", name, list)
		}
	}
}

func TestApplyRequiresUniqueOldText(t *testing.T) {
	m := mutant{changes: []change{{[]string{"b"}, []string{"c"}}}}
	if got, missing := m.apply("a\nb\n"); missing != "" || got != "a\nc\n" {
		t.Errorf("%q, %q is missing", got, missing)
	}
	for _, text := range []string{"a\n", "b\nb\n", "bb\n"} {
		if got, missing := m.apply(text); missing == "" {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestOnlyAFailedTestCounts(t *testing.T) {
	exit := &exec.ExitError{}
	for _, c := range []struct {
		output string
		err    error
		late   error
		want   string
	}{
		{"--- FAIL: TestA\nFAIL", exit, nil, killed},
		{"ok", nil, nil, survived},
		{"ok a [no tests to run]", nil, nil, untested},
		{"FAIL a [build failed]", exit, nil, uncompiled},
		{"FAIL a [setup failed]", exit, nil, uncompiled},
		{"panic: test timed out after 1s\n--- FAIL: TestA", exit, nil, overtime},
		{"", exit, context.DeadlineExceeded, overtime},
		{"", errors.New("no go"), nil, unrunnable},
		{"FAIL", exit, nil, unrunnable},
	} {
		if got := judge(c.output, c.err, c.late); got != c.want {
			t.Errorf("%q, %v: %s, want %s", c.output, c.err, got, c.want)
		}
	}
}

// TestMutantsAreRun changes a module of its own: the change is seen by its
// test, and the file stays as it was.
func TestMutantsAreRun(t *testing.T) {
	root := t.TempDir()
	files := map[string]string{
		"go.mod":    "module m\n\ngo 1.26.0\n",
		"m.go":      "package m\n\nfunc one() int {\n\treturn 1\n}\n\nfunc unused() int {\n\treturn 3\n}\n",
		"m_test.go": "package m\n\nimport \"testing\"\n\nfunc TestOne(t *testing.T) {\n\tif one() != 1 {\n\t\tt.Error(\"not 1\")\n\t}\n}\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ old, new, want string }{
		{"\treturn 1", "\treturn 2", killed},
		{"\treturn 3", "\treturn 4", survived},
		{"\treturn 1", "\treturn \"\"", uncompiled},
		{"\treturn 5", "\treturn 6", stale},
	} {
		m := mutant{name: "m", file: "m.go", changes: []change{{[]string{c.old}, []string{c.new}}}, command: []string{"."}}
		if got, out := m.try(root, t.TempDir(), time.Minute); got != c.want {
			t.Errorf("%q → %q: %s, want %s\n%s", c.old, c.new, got, c.want, out)
		}
	}
	if text, _ := os.ReadFile(filepath.Join(root, "m.go")); string(text) != files["m.go"] {
		t.Errorf("the file is now %q", text)
	}
}

// TestListFits holds that every mutant of the list still applies, and that the
// tests it names are in the packages it names.
func TestListFits(t *testing.T) {
	text, err := os.ReadFile("mutants.txt")
	if err != nil {
		t.Fatal(err)
	}
	list, err := parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		text, err := os.ReadFile(filepath.Join("../..", m.file))
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
			continue
		}
		if _, missing := m.apply(string(text)); missing != "" {
			t.Errorf("%s: %s does not have exactly once:\n%s", m.name, m.file, missing)
		}
		if test := m.missingTest(t); test != "" {
			t.Errorf("%s: no test %s in %v", m.name, test, m.command)
		}
	}
}

// missingTest returns the first test that the command names and no package of
// it has.
func (m mutant) missingTest(t *testing.T) string {
	var tests strings.Builder
	for _, arg := range m.command {
		files, _ := filepath.Glob(filepath.Join("../..", arg, "*_test.go"))
		if !strings.HasPrefix(arg, "./") {
			continue
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			tests.Write(text)
		}
	}
	if i := slices.Index(m.command, "-run"); i >= 0 {
		for name := range strings.SplitSeq(m.command[i+1], "|") {
			if !strings.Contains(tests.String(), "\nfunc "+name+"(") {
				return name
			}
		}
	}
	return ""
}

func TestPartIsRead(t *testing.T) {
	for part, want := range map[string][2]int{"": {0, 1}, "0/12": {0, 12}, "11/12": {11, 12}} {
		if first, parts, err := parsePart(part); err != nil || first != want[0] || parts != want[1] {
			t.Errorf("%q: %d of %d, %v", part, first, parts, err)
		}
	}
	for _, part := range []string{"12/12", "-1/12", "3", "x/12", "3/", "0/0"} {
		if _, _, err := parsePart(part); err == nil {
			t.Errorf("%q is taken", part)
		}
	}
}

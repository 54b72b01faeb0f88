package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// built returns the modules that the linker wrote into a binary, without a
// look at what this tool lists.
func built(t *testing.T, arch string) map[string]string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "notifier")
	cmd := exec.Command("go", "build", "-trimpath", "-o", file, program)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	modules := map[string]string{}
	for _, m := range info.Deps {
		modules[m.Path] = m.Version
	}
	if len(modules) < 30 {
		t.Fatalf("only %d modules in the program", len(modules))
	}
	return modules
}

func TestNoticesListEveryLinkedModule(t *testing.T) {
	modules, err := linked(root)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	write(&out, modules)
	section := func(title string) string {
		_, after, ok := strings.Cut(out.String(), strings.Repeat("=", 80)+"\n"+title+"\n")
		if !ok {
			return ""
		}
		text, _, _ := strings.Cut(after, strings.Repeat("=", 80))
		return text
	}
	copyright := regexp.MustCompile(`(?i)copyright|apache license`)
	for path, version := range built(t, "amd64") {
		if !copyright.MatchString(section(path + " " + version)) {
			t.Errorf("%s %s is in the program, and its licence is not in the notices", path, version)
		}
	}
	if !strings.Contains(section(modules[len(modules)-1].title()), "The Go Authors") {
		t.Errorf("the last is %s: Go's own licence is missing", modules[len(modules)-1].title())
	}
	// What a module was copied from, and what Apache's licence asks for.
	for path, name := range map[string]string{"github.com/klauspost/compress": "internal/snapref/LICENSE", "github.com/prometheus/client_golang": "NOTICE", "go.yaml.in/yaml/v3": "NOTICE"} {
		i := slices.IndexFunc(modules, func(m *module) bool { return m.path == path })
		if i < 0 || !slices.ContainsFunc(modules[i].texts, func(t text) bool { return t.name == name }) {
			t.Errorf("%s of %s is missing", name, path)
		}
	}
}

func TestModuleWithoutKnownLicenceIsAnError(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "LICENSE"), []byte("Copyright Example. All rights reserved."), 0o600); err != nil {
		t.Fatal(err)
	}
	m := &module{path: "example.com/x", version: "v1.0.0"}
	if err := m.read(dir, dir); err != nil || len(m.texts) != 1 {
		t.Fatal(err, m.texts)
	}
	if err := m.identify(); err == nil || !strings.Contains(err.Error(), "example.com/x v1.0.0 has no licence that is known") {
		t.Errorf("%v", err)
	}
}

func TestLicenceIsRecognized(t *testing.T) {
	for words, want := range map[string]string{
		"Apache License Version 2.0, January 2004":                                                                                               "Apache-2.0",
		"Permission is hereby granted, free of charge":                                                                                           "MIT",
		"Redistributions in binary form must. Neither the name of Google nor may be used to endorse":                                             "BSD-3-Clause",
		"Redistributions in\nbinary form must reproduce":                                                                                         "BSD-2-Clause",
		"Mozilla Public License Version 2.0":                                                                                                     "MPL-2.0",
		"Permission to use, copy, modify, and/or distribute this software":                                                                       "ISC",
		"Permission is hereby granted, free of charge\nand parts under\nhttp://www.apache.org/licenses/LICENSE-2.0":                              "Apache-2.0 MIT",
		"Redistributions in binary form. The names of its contributors may not be used to endorse. Permission is hereby granted, free of charge": "BSD-3-Clause MIT",
	} {
		m := &module{texts: []text{{"LICENSE", words}}}
		if err := m.identify(); err != nil || strings.Join(m.ids, " ") != want {
			t.Errorf("%q: %v, %v, want %s", words, m.ids, err, want)
		}
	}
}

func TestBillOfMaterialsHasEveryLicence(t *testing.T) {
	modules := []*module{{path: "example.com/a", ids: []string{"MIT"}}, {path: standard, ids: []string{"BSD-3-Clause"}}}
	bill := `{"bomFormat":"CycloneDX","version":1,"metadata":{"component":{"name":"github.com/algotrade/notifier"}},
		"components":[{"name":"example.com/a","purl":"pkg:golang/example.com/a@v1?x&y"},{"name":"std"}]}`
	out, err := license([]byte(bill), modules)
	if err != nil {
		t.Fatal(err)
	}
	type component struct {
		Name, PURL string
		Licenses   []struct{ License struct{ ID string } }
	}
	var doc struct {
		Version    int
		Metadata   struct{ Component component }
		Components []component
	}
	if err := json.Unmarshal(out, &doc); err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, c := range append(doc.Components, doc.Metadata.Component) {
		got += c.Name
		for _, l := range c.Licenses {
			got += " " + l.License.ID
		}
		got += "\n"
	}
	if want := "example.com/a MIT\nstd BSD-3-Clause\ngithub.com/algotrade/notifier Apache-2.0\n"; got != want || doc.Version != 1 || !strings.Contains(string(out), "?x&y") {
		t.Errorf("got\n%s\nof\n%s", got, out)
	}
	if _, err := license([]byte(`{"components":[{"name":"example.com/b"}]}`), modules); err == nil {
		t.Error("a component without a licence is no error")
	}
}

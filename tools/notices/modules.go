package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// program is what is released, own the path of its own module, standard the
// name that bills of materials give Go's own library.
const (
	program  = "./cmd/notifier"
	own      = "github.com/algotrade/notifier"
	standard = "std"
)

// platforms are those that are released.
var platforms = []string{"linux/amd64", "linux/arm64"}

// module is a module that is linked into the program, and its licences.
type module struct {
	path, version string
	texts         []text
	ids           []string // of SPDX, sorted
}

// text is a file of a module that says under which terms it is used.
type text struct{ name, text string }

type listed struct {
	ImportPath, Dir string
	Standard        bool
	Module          *struct{ Path, Version, Dir string }
}

// linked returns the modules in the program, on any of the platforms, with Go
// itself. One without a licence that is known is an error.
func linked(root string) ([]*module, error) {
	byPath := map[string]*module{}
	for _, platform := range platforms {
		packages, err := list(root, platform)
		if err != nil {
			return nil, err
		}
		for _, p := range packages {
			if p.Module == nil || p.Module.Path == own {
				continue
			}
			m := byPath[p.Module.Path]
			if m == nil {
				m = &module{path: p.Module.Path, version: p.Module.Version}
				byPath[m.path] = m
			}
			// What a package was copied from may have terms of its own.
			for dir := p.Dir; ; dir = filepath.Dir(dir) {
				if err := m.read(p.Module.Dir, dir); err != nil {
					return nil, err
				}
				if dir == p.Module.Dir || len(dir) < len(p.Module.Dir) {
					break
				}
			}
		}
	}
	goRoot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOROOT: %w", err)
	}
	dir := strings.TrimSpace(string(goRoot))
	std := &module{path: standard, version: runtime.Version()}
	if err := std.read(dir, dir); err != nil {
		return nil, err
	}
	byPath[standard] = std

	var all []*module
	for _, m := range byPath {
		if err := m.identify(); err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b *module) int { return strings.Compare(a.path, b.path) })
	return all, nil
}

// list returns the packages in the program on a platform.
func list(root, platform string) ([]listed, error) {
	goos, goarch, _ := strings.Cut(platform, "/")
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Dir,Standard,Module", program)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch, "GOFLAGS=", "GOWORK=off")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list for %s: %w", platform, err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("read go list: %w", err)
		}
		all = append(all, p)
	}
}

var terms = regexp.MustCompile(`(?i)^(licen[cs]es?|copying|notice|patents|unlicense)([.-].*)?$`)

// read adds the files with terms in dir, below root. A directory of them (REUSE)
// counts as well.
func (m *module) read(root, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !terms.MatchString(e.Name()) && filepath.Base(dir) != "LICENSES" || strings.HasSuffix(e.Name(), ".go") {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if e.IsDir() {
			if e.Name() == "LICENSES" {
				err = m.read(root, path)
			}
		} else {
			err = m.add(root, path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *module) add(root, path string) error {
	name, err := filepath.Rel(root, path)
	if err != nil || slices.ContainsFunc(m.texts, func(t text) bool { return t.name == name }) {
		return err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	m.texts = append(m.texts, text{filepath.ToSlash(name), strings.TrimSpace(strings.ReplaceAll(string(data), "\r\n", "\n"))})
	return nil
}

// phrases are what licences say, and their names in SPDX. A file may hold
// several.
var phrases = []struct {
	id      string
	says    *regexp.Regexp
	without *regexp.Regexp
}{
	{"Apache-2.0", regexp.MustCompile(`Apache License,?\s+Version 2\.0|www\.apache\.org/licenses/LICENSE-2\.0`), nil},
	{"MIT", regexp.MustCompile(`Permission is hereby granted, free of charge`), nil},
	{"BSD-3-Clause", regexp.MustCompile(`Redistributions? in binary form[\s\S]*(Neither the name|[Tt]he names? of)[\s\S]*endorse`), nil},
	{"BSD-2-Clause", regexp.MustCompile(`Redistributions? in binary form`), regexp.MustCompile(`endorse`)},
	{"MPL-2.0", regexp.MustCompile(`Mozilla Public License,? [Vv]ersion 2\.0`), nil},
	{"ISC", regexp.MustCompile(`Permission to use, copy, modify, and/?o?r? distribute this software`), nil},
	{"CC0-1.0", regexp.MustCompile(`CC0 1\.0 Universal`), nil},
}

// identify finds out which licences the texts are.
func (m *module) identify() error {
	slices.SortFunc(m.texts, func(a, b text) int { return strings.Compare(a.name, b.name) })
	for _, t := range m.texts {
		for _, p := range phrases {
			flat := strings.Join(strings.Fields(t.text), " ")
			if p.says.MatchString(flat) && (p.without == nil || !p.without.MatchString(flat)) && !slices.Contains(m.ids, p.id) {
				m.ids = append(m.ids, p.id)
			}
		}
	}
	slices.Sort(m.ids)
	if len(m.ids) == 0 {
		return fmt.Errorf("%s %s has no licence that is known: look into it, and teach phrases", m.path, m.version)
	}
	return nil
}

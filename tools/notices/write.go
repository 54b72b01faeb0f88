package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

const about = `The notifier is licensed under the Apache License, Version 2.0 (LICENSE). The
program holds the software below, each under its own terms. Where two licences
are named, parts of a module are under the one and parts under the other.
`

// title is how a module is named in the notices.
func (m *module) title() string {
	if m.path == standard {
		return "Go and its standard library " + m.version
	}
	return m.path + " " + m.version
}

// write writes a table of all modules, and then their terms.
func write(w io.Writer, modules []*module) {
	fmt.Fprint(w, about, "\n")
	for _, m := range modules {
		fmt.Fprintf(w, "  %s: %s\n", m.title(), strings.Join(m.ids, ", "))
	}
	for _, m := range modules {
		fmt.Fprintf(w, "\n%s\n%s\n", strings.Repeat("=", 80), m.title())
		for _, t := range m.texts {
			fmt.Fprintf(w, "\n%s\n%s\n\n%s\n", strings.Repeat("-", 80), t.name, t.text)
		}
	}
}

// license adds the licences to each component of a bill of materials. A
// component that is none of the modules is an error.
func license(bill []byte, modules []*module) ([]byte, error) {
	ids := map[string][]string{own: {"Apache-2.0"}}
	for _, m := range modules {
		ids[m.path] = m.ids
	}
	var doc map[string]any
	dec := json.NewDecoder(bytes.NewReader(bill))
	dec.UseNumber()
	if err := dec.Decode(&doc); err != nil {
		return nil, err
	}
	components, _ := doc["components"].([]any)
	if metadata, ok := doc["metadata"].(map[string]any); ok {
		if itself, ok := metadata["component"]; ok {
			components = append(components, itself)
		}
	}
	for _, c := range components {
		component, _ := c.(map[string]any)
		name, _ := component["name"].(string)
		known := ids[name]
		if len(known) == 0 {
			return nil, fmt.Errorf("component %q is none of the modules in the program", name)
		}
		var licenses []any
		for _, id := range known {
			licenses = append(licenses, map[string]any{"license": map[string]any{"id": id}})
		}
		component["licenses"] = licenses
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(doc)
	return out.Bytes(), err
}

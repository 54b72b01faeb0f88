// Package yamldoc reads YAML files strictly: unknown keys, wrong types and
// whatever the target types object to are collected as faults with line,
// column, path and a suggestion, all in one pass. Start reading at Decode.
package yamldoc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Pos is a place in a file. Line and Column count from one; Path is the key's
// path, such as rules[2].when. Without a Line it is no file: File then says
// where else a value comes from, such as a flag.
type Pos struct {
	File         string
	Line, Column int
	Path         string
}

// Fault is one thing wrong with a file.
type Fault struct {
	Pos
	Message string
	// Warning is true when the file can be used all the same.
	Warning bool
}

// String returns the fault as one line: file:line:column: path: message.
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", f.Line, f.Column)
	}
	b.WriteString(": ")
	if f.Warning {
		b.WriteString("warning: ")
	}
	if f.Path != "" {
		b.WriteString(f.Path + ": ")
	}
	return b.String() + f.Message
}

// Faults is everything wrong with a file, in the order of the file.
type Faults []Fault

func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// Errors returns the faults that are not warnings.
func (fs Faults) Errors() Faults {
	return slices.DeleteFunc(slices.Clone(fs), func(f Fault) bool { return f.Warning })
}

// Sort puts the faults into the order of the file.
func (fs Faults) Sort() {
	slices.SortStableFunc(fs, func(a, b Fault) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
}

// Decode reads the YAML document in data into the struct that into points to,
// whose present values are the defaults, and returns every fault. file is the
// name that faults carry; relative paths inside secrets are relative to dir.
func Decode(file, dir string, data []byte, into any) Faults {
	d := &document{file: file, dir: dir}
	root, second, err := parse(data)
	if err != nil {
		return Faults{notYAML(file, data, err)}
	}
	if second != nil {
		at := Cursor{doc: d, node: second}
		at.Fault("a second document begins here, which nobody reads: write one document a file")
	}
	if root.Kind == 0 { // an empty file
		root = &yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode, Line: 1, Column: 1}}}
	}
	Cursor{doc: d, node: root.Content[0]}.Decode(into)
	d.faults.Sort()
	return d.faults
}

type document struct {
	file, dir string
	faults    Faults
}

// parse reads all of data: its first document, and the second if there is one.
func parse(data []byte) (root, second *yaml.Node, err error) {
	in := yaml.NewDecoder(bytes.NewReader(data))
	root = &yaml.Node{}
	for n := 0; ; n++ {
		var doc yaml.Node
		switch err := in.Decode(&doc); {
		case errors.Is(err, io.EOF):
			return root, second, nil
		case err != nil:
			return nil, nil, err
		case endless(&doc, nil):
			return nil, nil, errors.New("an alias stands inside of what it means")
		case n == 0:
			root = &doc
		case n == 1:
			second = &doc
		}
	}
}

// endless reports whether an alias below n leads back to one of the nodes above
// it: whoever follows aliases would never come to an end.
func endless(n *yaml.Node, above []*yaml.Node) bool {
	if n.Kind == yaml.AliasNode {
		return slices.Contains(above, n.Alias)
	}
	above = append(above, n)
	return slices.ContainsFunc(n.Content, func(child *yaml.Node) bool { return endless(child, above) })
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line \d+: )?`)

// notYAML is the fault of data that cannot be parsed. The library names the
// line where what it was reading began, if any. What helps is the line up to
// which everything can be read: a bracket that is never closed stands there.
func notYAML(file string, data []byte, err error) Fault {
	lines := bytes.SplitAfter(data, []byte("\n"))
	good := len(lines) - 1
	for good > 0 {
		if _, _, err := parse(bytes.Join(lines[:good], nil)); err == nil {
			break
		}
		good--
	}
	indent := len(lines[good]) - len(bytes.TrimLeft(lines[good], " "))
	text, _, _ := strings.Cut(err.Error(), "\n")
	return Fault{
		Pos:     Pos{File: file, Line: good + 1, Column: indent + 1},
		Message: "not YAML: " + yamlLine.ReplaceAllString(text, ""),
	}
}

// Scalar is a string that remembers where its first character stood, for
// values that are checked after decoding, such as expressions.
type Scalar struct {
	Value string
	Pos   Pos
}

// UnmarshalYAMLDoc implements Unmarshaler.
func (s *Scalar) UnmarshalYAMLDoc(c Cursor) {
	s.Pos = c.Pos()
	if c.resolved().Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		s.Pos.Column++
	}
	s.Value, _ = c.Scalar()
}

// Unmarshaler is implemented by types that decode themselves.
type Unmarshaler interface{ UnmarshalYAMLDoc(c Cursor) }

// Checker is implemented by structs that check themselves once they are
// decoded. It reports through c; c.Field(name).Fault points at one key.
type Checker interface{ CheckYAML(c Cursor) }

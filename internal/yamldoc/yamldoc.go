// Package yamldoc reads YAML files strictly: unknown keys, wrong types and
// whatever the target types object to are collected as faults with line,
// column, path and a suggestion, all in one pass. Start reading at Decode.
package yamldoc

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Pos is a place in a file. Line and Column count from one; Path is the key's
// path, such as rules[2].when.
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
	fmt.Fprintf(&b, "%s:%d:%d: ", f.File, f.Line, f.Column)
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
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		line, msg := syntaxError(err)
		return Faults{{Pos: Pos{File: file, Line: line, Column: 1}, Message: msg}}
	}
	if root.Kind == 0 { // an empty file
		root = yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{Kind: yaml.MappingNode, Line: 1, Column: 1}}}
	}
	Cursor{doc: d, node: root.Content[0]}.Decode(into)
	d.faults.Sort()
	return d.faults
}

type document struct {
	file, dir string
	faults    Faults
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

func syntaxError(err error) (int, string) {
	text := strings.Split(err.Error(), "\n")[0]
	m := yamlLine.FindStringSubmatch(text)
	if m == nil {
		return 1, "not YAML: " + text
	}
	line, _ := strconv.Atoi(m[1])
	return max(line, 1), "not YAML: " + m[2]
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

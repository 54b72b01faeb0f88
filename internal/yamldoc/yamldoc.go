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

	"github.com/algotrade/notifier/internal/secret"
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

// NewFault returns a fault without what looks like a credential: a person who
// puts a token where it does not belong should not find it in a log.
func NewFault(at Pos, warning bool, message string) Fault {
	at.Path = secret.RedactInput(at.Path)
	return Fault{Pos: at, Message: secret.RedactInput(message), Warning: warning}
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
	switch {
	case errors.Is(err, errTooLarge), errors.Is(err, errTooMany):
		return Faults{{Pos: Pos{File: file}, Message: err.Error()}}
	case err != nil:
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
	if len(data) > MaxBytes {
		return nil, nil, errTooLarge
	}
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
		case values(&doc, make(map[*yaml.Node]int)) > MaxValues:
			return nil, nil, errTooMany
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

// MaxValues is how many keys and values a document may hold, with every alias
// counted as what it means: a few lines of aliases of aliases mean billions.
const MaxValues = 100_000

// MaxBytes is how large a document may be.
const MaxBytes = 1 << 20

var errTooLarge = fmt.Errorf("it is larger than %d MiB, which no configuration needs", MaxBytes>>20)

var errTooMany = fmt.Errorf("it holds more than %d values, aliases (*name) counted as what they mean", MaxValues)

// values counts the nodes at and below n, those behind aliases as often as they
// are named, up to just above MaxValues. n is not endless. Nodes with an anchor
// are counted once and kept in known, so that it takes no longer than reading.
func values(n *yaml.Node, known map[*yaml.Node]int) int {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if count, ok := known[n]; ok {
		return count
	}
	count := 1
	for _, child := range n.Content {
		if count = count + values(child, known); count > MaxValues {
			count = MaxValues + 1
			break
		}
	}
	if n.Anchor != "" {
		known[n] = count
	}
	return count
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line \d+: )?`)

// notYAML is the fault of data that cannot be parsed. The library names the
// line where what it was reading began, if any. What helps is the line up to
// which everything can be read: a bracket that is never closed stands there.
// It is looked for within tryBytes of reading, and is else the library's line.
func notYAML(file string, data []byte, err error) Fault {
	const tryBytes = 8 << 20
	lines := bytes.SplitAfter(data, []byte("\n"))
	good, end := len(lines)-1, len(data)-len(lines[len(lines)-1])
	for tried := 0; good > 0; good-- {
		if _, _, err := parse(data[:end]); err == nil {
			break
		}
		if tried += end; tried > tryBytes {
			good = lineOf(err, len(lines))
			break
		}
		end -= len(lines[good-1])
	}
	indent := len(lines[good]) - len(bytes.TrimLeft(lines[good], " "))
	text, _, _ := strings.Cut(err.Error(), "\n")
	return NewFault(Pos{File: file, Line: good + 1, Column: indent + 1}, false, "not YAML: "+yamlLine.ReplaceAllString(text, ""))
}

// lineOf is the line that the library's error names, counted from zero; zero
// where it names none.
func lineOf(err error, lines int) int {
	var n int
	if _, scanErr := fmt.Sscanf(err.Error(), "yaml: line %d:", &n); scanErr != nil || n < 1 || n > lines {
		return 0
	}
	return n - 1
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

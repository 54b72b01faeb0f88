// Package yamldoc decodes YAML files strictly. It reports all unknown keys, wrong
// types and faults of the target types in one pass, with line, column, path and a
// suggestion. Start reading at Decode.
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

// Pos is a place in a file.
type Pos struct {
	File         string // or another source, such as "flag"
	Line, Column int    // from 1; Line 0: the source is not a file
	Path         string // of the key, such as rules[2].when
}

// Fault is an error or a warning about a file.
type Fault struct {
	Pos
	Message string
	Warning bool // the file can be used
	// Unresolved is set where the file is right, but what a reference names is missing here.
	Unresolved bool
	Kind       Kind
}

// NewFault returns a fault with its credentials redacted.
func NewFault(at Pos, warning bool, message string) Fault {
	at.Path = secret.RedactInput(at.Path)
	return Fault{Pos: at, Message: secret.RedactInput(message), Warning: warning, Kind: kindOf(warning, message)}
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

// Faults are the faults of a file in the order of the file.
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

// Sort sorts the faults by line and column.
func (fs Faults) Sort() {
	slices.SortStableFunc(fs, func(a, b Fault) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
}

// Decode decodes a YAML document into the struct *into, whose values are the
// defaults, and returns all faults. file is the name in the faults; relative paths
// of secrets are relative to dir.
func Decode(file, dir string, data []byte, into any) Faults {
	d := &document{file: file, dir: dir, reported: make(map[*yaml.Node]bool)}
	root, second, err := parse(data)
	switch {
	case errors.Is(err, errTooLarge), errors.Is(err, errTooMany):
		return Faults{{Pos: Pos{File: file}, Message: err.Error(), Kind: Syntax}}
	case err != nil:
		return Faults{notYAML(file, data, err)}
	}
	if second != nil {
		at := Cursor{doc: d, node: second}
		at.FaultOf(Syntax, "a second document begins here: write one document per file")
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
	reported  map[*yaml.Node]bool // by faultOnce
}

// parse returns the first document of data, and the second if there is one.
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
		case isRecursive(&doc, nil):
			return nil, nil, errors.New("recursive alias")
		case values(&doc, make(map[*yaml.Node]int)) > MaxValues:
			return nil, nil, errTooMany
		case n == 0:
			root = &doc
		case n == 1:
			second = &doc
		}
	}
}

// isRecursive reports whether an alias below n refers to one of its ancestors.
func isRecursive(n *yaml.Node, ancestors []*yaml.Node) bool {
	if n.Kind == yaml.AliasNode {
		return slices.Contains(ancestors, n.Alias)
	}
	ancestors = append(ancestors, n)
	return slices.ContainsFunc(n.Content, func(child *yaml.Node) bool { return isRecursive(child, ancestors) })
}

// Limits of a document.
const (
	MaxValues = 100_000 // keys and values, with aliases expanded
	MaxBytes  = 1 << 20
)

var (
	errTooLarge = fmt.Errorf("larger than %d MiB", MaxBytes>>20)
	errTooMany  = fmt.Errorf("more than %d values, with aliases (*name) expanded", MaxValues)
)

// values counts the nodes at and below n with aliases expanded, up to MaxValues+1.
// n is not recursive. known caches the counts of nodes with an anchor.
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

// notYAML returns the fault of data that cannot be parsed. Its line is the one up
// to which the data can be parsed, where a bracket is not closed for example. If
// finding it takes more than tryBytes of parsing, it is the library's line.
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
	text = yamlLine.ReplaceAllString(text, "")
	for _, h := range hints {
		if h.line.Match(lines[good]) {
			text += ": " + h.remedy
			break
		}
	}
	return NewFault(Pos{File: file, Line: good + 1, Column: indent + 1}, false, "not YAML: "+text).Of(Syntax)
}

// hints are the remedies for lines that are often no YAML.
var hints = []struct {
	line   *regexp.Regexp
	remedy string
}{
	{regexp.MustCompile(`[:\[,-]\s+("[^"]*"|'[^']*')\s+[^\s#,\]}]`), "put the whole text in quotes of the other kind"},
	{regexp.MustCompile(`^[^"']*\{\{`), "put a text with {{ in quotes"},
	{regexp.MustCompile(`^[^"']*:\s[^"'{]*:\s`), "put a text with a colon and a space in quotes"},
	{regexp.MustCompile("[:-]\\s+[@%`*]"), "put a text that begins with @, %, * or a backquote in quotes"},
}

// lineOf returns the line in the library's error, from 0; 0 if it has none.
func lineOf(err error, lines int) int {
	var n int
	if _, scanErr := fmt.Sscanf(err.Error(), "yaml: line %d:", &n); scanErr != nil || n < 1 || n > lines {
		return 0
	}
	return n - 1
}

// Scalar is a string with the place of its first character, for values that are
// checked after decoding. Without a value, or with one that is not a string, which is
// a fault, it is zero.
type Scalar struct {
	Value string
	Pos   Pos
}

// UnmarshalYAMLDoc implements Unmarshaler.
func (s *Scalar) UnmarshalYAMLDoc(c Cursor) {
	s.Pos = c.Pos()
	if c.resolved().Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		s.Pos.Column++
	} else if strings.Contains(c.node.LineComment, "{{") {
		c.Warn("a # behind a space begins a comment: put the text in quotes")
	}
	var ok bool
	if s.Value, ok = c.Scalar(); !ok {
		s.Pos = Pos{}
	}
}

// Unmarshaler is implemented by types that decode themselves.
type Unmarshaler interface{ UnmarshalYAMLDoc(c Cursor) }

// Checker is implemented by structs that check themselves after decoding and report
// faults through c or c.Field(name).
type Checker interface{ CheckYAML(c Cursor) }

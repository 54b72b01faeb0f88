package yamldoc

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Edit sets a key of a mapping to a value, and leaves all else of the file as it is
// written: comments, order and style.
type Edit struct {
	In  Cursor // a mapping
	Key string // added behind the others if the mapping does not have it
	// Value is YAML on one line. With List it is the elements of a list instead, each on a
	// line of its own, unless the list is written on the line of its key.
	Value string
	List  []string
}

// replacement is a part of a file, and what comes in its place.
type replacement struct {
	start, end int
	text       string
}

// Change is lines of a file that edits have replaced.
type Change struct {
	Line     int // of the first one, from 1
	Old, New []string
}

// Apply returns a file with some edits, and the lines that have changed; data is what In was
// decoded from. No two edits may be of one key.
func Apply(data []byte, edits []Edit) ([]byte, []Change, error) {
	f := newText(data)
	replacements := make([]replacement, len(edits))
	for i, e := range edits {
		r, err := f.replace(e)
		if err != nil {
			return nil, nil, err
		}
		replacements[i] = r
	}
	slices.SortStableFunc(replacements, func(a, b replacement) int { return a.start - b.start })
	var out []byte
	var changes []Change
	at := 0
	for i := 0; i < len(replacements); {
		first := f.line(replacements[i].start)
		start := f.lines[first]
		out = append(out, data[at:start]...)
		at = start
		var end int
		begin := len(out)
		for ok := true; ok; ok = i < len(replacements) && replacements[i].start <= end {
			r := replacements[i]
			if r.start < at {
				return nil, nil, errors.New("two edits of one place")
			}
			out = append(append(out, data[at:r.start]...), r.text...)
			at, end = r.end, r.end+len(f.rest(r.end))
			i++
		}
		out = append(out, data[at:end]...)
		at = end
		changes = append(changes, newChange(first+1, string(data[start:end]), string(out[begin:])))
	}
	return append(out, data[at:]...), changes, nil
}

// newChange returns a change without the lines at its ends that are the same.
func newChange(line int, before, after string) Change {
	c := Change{line, strings.Split(before, "\n"), strings.Split(after, "\n")}
	for len(c.Old) > 0 && len(c.New) > 0 && c.Old[0] == c.New[0] {
		c.Line, c.Old, c.New = c.Line+1, c.Old[1:], c.New[1:]
	}
	for len(c.Old) > 0 && len(c.New) > 0 && c.Old[len(c.Old)-1] == c.New[len(c.New)-1] {
		c.Old, c.New = c.Old[:len(c.Old)-1], c.New[:len(c.New)-1]
	}
	return c
}

// text is a file with the offsets of its lines.
type text struct {
	data  []byte
	lines []int
}

func newText(data []byte) text {
	t := text{data: data, lines: []int{0}}
	for i, b := range data {
		if b == '\n' {
			t.lines = append(t.lines, i+1)
		}
	}
	return t
}

// line returns the index of the line that an offset is in.
func (t text) line(offset int) int {
	i, found := slices.BinarySearch(t.lines, offset)
	if !found {
		i--
	}
	return i
}

// offset returns where a node begins. Columns count characters.
func (t text) offset(n *yaml.Node) int {
	at := t.lines[n.Line-1]
	for range n.Column - 1 {
		_, size := utf8.DecodeRune(t.data[at:])
		at += size
	}
	return at
}

// replace returns an edit as a replacement.
func (t text) replace(e Edit) (replacement, error) {
	n := e.In.node
	if e.In.isShared() {
		return replacement{}, fmt.Errorf("%s is below an anchor (&) or an alias (*), so it may be used elsewhere", join(e.In.path, e.Key))
	}
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		return replacement{}, fmt.Errorf("%s is not written as keys and values of its own", e.In.path)
	}
	flow := n.Style&yaml.FlowStyle != 0
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != e.Key {
			continue
		}
		if hasAnchor(n.Content[i+1]) {
			return replacement{}, fmt.Errorf("%s has an anchor (&), which may be used elsewhere", join(e.In.path, e.Key))
		}
		key, err := t.end(n.Content[i])
		if err != nil {
			return replacement{}, err
		}
		colon := key + bytes.IndexByte(t.data[key:], ':') + 1
		end, err := t.end(n.Content[i+1])
		if err != nil {
			return replacement{}, err
		}
		inline := flow || len(e.List) <= 1 && n.Content[i+1].Style&yaml.FlowStyle != 0
		return replacement{colon, max(colon, end), e.text(n.Content[i].Column, inline)}, nil
	}
	end, err := t.end(n.Content[len(n.Content)-1])
	if err != nil {
		return replacement{}, err
	}
	column := n.Content[0].Column
	if flow {
		return replacement{end, end, ", " + e.Key + ":" + e.text(column, true)}, nil
	}
	end += len(t.rest(end))
	return replacement{end, end, "\n" + strings.Repeat(" ", column-1) + e.Key + ":" + e.text(column, false)}, nil
}

// rest returns what is left of a line, such as a comment.
func (t text) rest(at int) []byte {
	rest, _, _ := bytes.Cut(t.data[at:], []byte("\n"))
	return bytes.TrimSuffix(rest, []byte("\r"))
}

// text returns the value as it stands behind its key, which begins in a column.
func (e Edit) text(column int, inline bool) string {
	switch {
	case e.List == nil:
		return " " + e.Value
	case inline || len(e.List) == 0:
		return " [" + strings.Join(e.List, ", ") + "]"
	}
	var b strings.Builder
	for _, element := range e.List {
		b.WriteString("\n" + strings.Repeat(" ", column+1) + "- " + element)
	}
	return b.String()
}

// end returns where the text of a node ends.
func (t text) end(n *yaml.Node) (int, error) {
	start := t.offset(n)
	rest := t.data[start:]
	if n.Kind == yaml.AliasNode {
		return start + len("*"+n.Value), nil
	}
	if n.Tag != n.ShortTag() || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		return 0, fmt.Errorf("line %d has an anchor or a tag", n.Line)
	}
	switch {
	case n.Kind != yaml.ScalarNode && n.Style&yaml.FlowStyle != 0:
		return t.closing(start)
	case n.Kind != yaml.ScalarNode:
		return t.end(n.Content[len(n.Content)-1])
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		return start + quoted(rest), nil
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return start + block(rest), nil
	}
	at := start // a plain text, which may have line breaks for spaces
	for _, word := range strings.Fields(n.Value) {
		i := bytes.Index(t.data[at:], []byte(word))
		if i < 0 || len(bytes.TrimSpace(t.data[at:at+i])) > 0 {
			return 0, fmt.Errorf("line %d: %q is not found", n.Line, word)
		}
		at += i + len(word)
	}
	return at, nil
}

// closing returns where a list or an object in brackets ends.
func (t text) closing(start int) (int, error) {
	depth := 0
	for at := start; at < len(t.data); at++ {
		switch before := t.data[max(at-1, 0)]; t.data[at] {
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return at + 1, nil
			}
		case '"', '\'': // only at the beginning of a text
			if strings.IndexByte(" \n[{,:", before) >= 0 {
				at += quoted(t.data[at:]) - 1
			}
		case '#':
			if before == ' ' || before == '\n' {
				at += len(t.rest(at)) - 1
			}
		}
	}
	return 0, errors.New("a bracket is not closed")
}

// quoted returns the length of a quoted text.
func quoted(data []byte) int {
	quote := data[0]
	for i := 1; i < len(data); i++ {
		switch {
		case data[i] == '\\' && quote == '"':
			i++
		case data[i] != quote:
		case quote == '\'' && i+1 < len(data) && data[i+1] == quote:
			i++
		default:
			return i + 1
		}
	}
	return len(data)
}

// block returns the length of a text that begins with | or >: all lines that are indented
// as the first, without empty ones at the end.
func block(data []byte) int {
	indent, length, at := 0, 0, 0
	for number, line := range bytes.SplitAfter(data, []byte("\n")) {
		at += len(line)
		spaces := len(line) - len(bytes.TrimLeft(line, " "))
		switch empty := len(bytes.TrimSpace(line)) == 0; {
		case number == 0:
		case empty:
			continue
		case indent == 0:
			indent = spaces
		}
		if number > 0 && spaces < indent {
			break
		}
		length = at - (len(line) - len(bytes.TrimRight(line, "\r\n")))
	}
	return length
}

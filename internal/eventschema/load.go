package eventschema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/algotrade/notifier/internal/yamldoc"
)

// Load reads the schema in a file with read, and the files beside and below it that it
// refers to; nothing else is read. The schema is nil if there is a fault that is an
// error.
func Load(file string, read func(name string) ([]byte, error)) (s *Schema, faults yamldoc.Faults) {
	l := &loader{dir: filepath.Dir(file), read: read, files: make(map[string][]byte)}
	defer func() {
		if v := recover(); v != nil { // in the library, such as a number with a huge exponent
			s, faults = nil, yamldoc.Faults{yamldoc.NewFault(yamldoc.Pos{File: file}, false, fmt.Sprintf("cannot be read as a schema (%T)", v))}
		}
	}()
	start := base + url.PathEscape(filepath.Base(file))
	l.findID(start)
	library := jsonschema.NewCompiler()
	library.DefaultDraft(jsonschema.Draft2020)
	library.AssertFormat()
	library.UseLoader(l)
	root, err := library.Compile(start)
	if err != nil {
		return nil, l.faults(start, err)
	}
	c := &compiler{nodes: make(map[*jsonschema.Schema]*node)}
	c.fault = func(at *jsonschema.Schema, format string, args ...any) {
		faults = append(faults, l.at(at.Location, fmt.Sprintf(format, args...)))
	}
	n := c.node(root)
	c.cycles()
	if len(faults) == 0 {
		return &Schema{root: n}, nil
	}
	slices.SortStableFunc(faults, func(a, b yamldoc.Fault) int { return strings.Compare(a.File, b.File) })
	faults.Sort()
	return nil, faults
}

// base is the address of the directory of a schema. A reference to what is above it
// leads to another address.
const base = "file:///schema/directory/"

// loader reads the files of a schema. It implements jsonschema.URLLoader.
type loader struct {
	dir   string
	id    string // the address of the directory according to the schema's $id; empty: none
	read  func(name string) ([]byte, error)
	files map[string][]byte // that were read, by address
}

// errOutside is the error of a reference to anything but a file of the directory.
var errOutside = errors.New("only files beside or below the schema are read")

// Load implements jsonschema.URLLoader.
func (l *loader) Load(address string) (any, error) {
	data, err := l.data(address)
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(data))
}

func (l *loader) data(address string) ([]byte, error) {
	if data, ok := l.files[address]; ok {
		return data, nil
	}
	name, ok := l.name(address)
	if !ok {
		return nil, errOutside
	}
	data, err := l.read(name)
	if err == nil {
		l.files[address] = data
	}
	return data, err
}

// name returns the path of the file at an address.
func (l *loader) name(address string) (string, bool) {
	escaped, ok := strings.CutPrefix(address, base)
	if !ok && l.id != "" {
		escaped, ok = strings.CutPrefix(address, l.id)
	}
	name, err := url.PathUnescape(escaped)
	if !ok || err != nil || !filepath.IsLocal(filepath.FromSlash(name)) {
		return "", false
	}
	return filepath.Join(l.dir, filepath.FromSlash(name)), true
}

// findID reads the $id of a schema: references are relative to it, and lead to files all
// the same.
func (l *loader) findID(address string) {
	data, err := l.data(address)
	if err != nil {
		return // Compile reports it
	}
	var head struct {
		ID string `json:"$id"`
	}
	if json.Unmarshal(data, &head) != nil {
		return
	}
	if u, err := url.Parse(head.ID); err == nil && u.IsAbs() && u.Opaque == "" {
		u.Path, u.RawPath, u.RawQuery, u.Fragment = path.Dir(u.Path), "", "", ""
		l.id = strings.TrimSuffix(u.String(), "/") + "/"
	}
}

// faults returns the faults of a schema that cannot be compiled.
func (l *loader) faults(start string, err error) yamldoc.Faults {
	var invalid *jsonschema.SchemaValidationError
	var violation *jsonschema.ValidationError
	if errors.As(err, &invalid) && errors.As(invalid.Err, &violation) {
		return l.invalid(invalid.URL, violation)
	}
	var notLoaded *jsonschema.LoadURLError
	if errors.As(err, &notLoaded) {
		return yamldoc.Faults{l.notLoaded(start, notLoaded)}
	}
	where, text := start, err.Error()
	var pointer *jsonschema.JSONPointerNotFoundError
	var anchor *jsonschema.AnchorNotFoundError
	var pattern *jsonschema.InvalidRegexError
	switch {
	case errors.As(err, &pointer):
		where, text = l.reference(start, pointer.URL), "$ref leads to nothing: "+l.shown(pointer.URL)
	case errors.As(err, &anchor):
		where, text = l.reference(start, anchor.Reference), "$ref leads to nothing: "+l.shown(anchor.Reference)
	case errors.As(err, &pattern):
		where, text = pattern.URL, fmt.Sprintf("%q is not a regular expression of RE2: %v", pattern.Regex, pattern.Err)
	}
	return yamldoc.Faults{l.at(where, text)}
}

// invalid returns the innermost violations of the meta-schema.
func (l *loader) invalid(address string, v *jsonschema.ValidationError) (faults yamldoc.Faults) {
	if len(v.Causes) == 0 {
		var pointer strings.Builder
		for _, part := range v.InstanceLocation {
			pointer.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(part))
		}
		address, fragment, _ := strings.Cut(address, "#")
		return yamldoc.Faults{l.at(address+"#"+fragment+(&url.URL{Path: pointer.String()}).EscapedPath(), v.BasicOutput().Error.String())}
	}
	for _, cause := range v.Causes {
		for _, f := range l.invalid(address, cause) {
			if !slices.ContainsFunc(faults, func(known yamldoc.Fault) bool { return known.Pos == f.Pos }) { // the first of several alternatives
				faults = append(faults, f)
			}
		}
	}
	return faults
}

// notLoaded returns the fault of a file that cannot be read, or of the reference to it.
func (l *loader) notLoaded(start string, err *jsonschema.LoadURLError) yamldoc.Fault {
	var syntax *json.SyntaxError
	name, isFile := l.name(err.URL)
	switch data := l.files[err.URL]; {
	case errors.As(err.Err, &syntax):
		line, column := lineOf(data, int(syntax.Offset)-1)
		return yamldoc.NewFault(yamldoc.Pos{File: name, Line: line, Column: column}, false, "not JSON: "+syntax.Error())
	case data != nil: // not even that
		return yamldoc.NewFault(yamldoc.Pos{File: name}, false, "not JSON: "+err.Err.Error())
	case err.URL == start:
		return yamldoc.NewFault(yamldoc.Pos{File: name}, false, reason(err.Err))
	case isFile:
		return l.at(l.reference(start, err.URL), "$ref: "+reason(err.Err))
	}
	where, what := l.reference(start, err.URL), "$ref to "
	if strings.HasSuffix(where, "#") { // no $ref
		what = "$schema "
	}
	return l.at(where, what+l.shown(err.URL)+" is not followed: "+err.Err.Error())
}

package schema

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// comments are the descriptions of keys: the comments on the fields of structs.
type comments struct {
	root     string                       // directory of the module
	packages map[string]map[string]string // by path: Type.Field, or Type → comment
	missing  []string                     // fields without
}

func newComments(root string) *comments {
	return &comments{root: root, packages: make(map[string]map[string]string)}
}

const module = "github.com/algotrade/notifier"

// of returns the description of a field: its comment, or that of its type.
func (c *comments) of(t reflect.Type, f reflect.StructField) string {
	name := t.Name() + "." + f.Name
	if text := c.in(t.PkgPath())[name]; text != "" {
		return described(f.Name, text)
	}
	inner := f.Type
	for inner.Kind() == reflect.Slice || inner.Kind() == reflect.Map || inner.Kind() == reflect.Pointer {
		inner = inner.Elem()
	}
	if text := c.in(inner.PkgPath())[inner.Name()]; inner.Kind() == reflect.Struct && text != "" {
		return described(inner.Name(), text)
	}
	c.missing = append(c.missing, nameOf(t)+"."+f.Name)
	return ""
}

// in reads the comments of a package.
func (c *comments) in(path string) map[string]string {
	dir, ours := strings.CutPrefix(path, module)
	if !ours {
		return nil
	}
	if known, ok := c.packages[path]; ok {
		return known
	}
	found := make(map[string]string)
	files, err := filepath.Glob(filepath.Join(c.root, dir, "*.go"))
	if err != nil {
		panic(err) // the pattern is malformed
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			panic(err) // the package has been compiled
		}
		for _, d := range file.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE {
				collect(found, g)
			}
		}
	}
	c.packages[path] = found
	return found
}

func collect(found map[string]string, g *ast.GenDecl) {
	for _, spec := range g.Specs {
		t := spec.(*ast.TypeSpec)
		found[t.Name.Name] = t.Doc.Text()
		if t.Doc == nil {
			found[t.Name.Name] = g.Doc.Text()
		}
		s, ok := t.Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, f := range s.Fields.List {
			text := f.Doc.Text()
			if text == "" {
				text = f.Comment.Text()
			}
			for _, n := range f.Names {
				found[t.Name.Name+"."+n.Name] = text
			}
		}
	}
}

// verb matches the beginning of a sentence about a name.
var verb = regexp.MustCompile(`^(is |are |[a-z]+s )`)

// described turns a comment of Go into a sentence about the key: "Rack enables fetching
// from …" into "Enables fetching from …", "Group is the group" into "The group".
// "Username of the login" stays.
func described(name, comment string) string {
	text := strings.Join(strings.Fields(comment), " ")
	if rest, ok := strings.CutPrefix(text, name+" "); ok && verb.MatchString(rest) {
		text = strings.TrimPrefix(strings.TrimPrefix(rest, "is "), "are ")
	}
	first, size := utf8.DecodeRuneInString(text)
	if next := strings.IndexAny(text, " ,;:"); next < 0 || strings.IndexFunc(text[:next], func(r rune) bool { return !unicode.IsLower(r) }) < 0 {
		text = string(unicode.ToUpper(first)) + text[size:]
	}
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}

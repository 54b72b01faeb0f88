package yamldoc

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// Places returns where each key of a document stands, by its path. A document
// that is not YAML has none.
func Places(file string, data []byte) map[string]Pos {
	places := make(map[string]Pos)
	if root, _, err := parse(data); err == nil && len(root.Content) > 0 {
		note(places, file, "", root.Content[0])
	}
	return places
}

func note(places map[string]Pos, file, path string, n *yaml.Node) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		at := join(path, n.Content[i].Value)
		places[at] = Pos{File: file, Line: n.Content[i].Line, Column: n.Content[i].Column, Path: at}
		note(places, file, at, n.Content[i+1])
	}
}

// FindScalar returns the line of the first single value of a document that
// match holds for. A document that is not YAML has none.
func FindScalar(data []byte, match func(value string) bool) (line int, found bool) {
	root, _, err := parse(data)
	if err != nil {
		return 0, false
	}
	var look func(n *yaml.Node) bool
	look = func(n *yaml.Node) bool { // what an alias means stands elsewhere in the document
		if n.Kind == yaml.ScalarNode && match(n.Value) {
			line = n.Line
			return true
		}
		return slices.ContainsFunc(n.Content, look)
	}
	found = look(root)
	return line, found
}

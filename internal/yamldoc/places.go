package yamldoc

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// Places returns the place of each key of a document by path; empty if the document
// is not YAML.
func Places(file string, data []byte) map[string]Pos {
	places := make(map[string]Pos)
	if root, _, err := parse(data); err == nil && len(root.Content) > 0 {
		addPlaces(places, file, "", root.Content[0])
	}
	return places
}

func addPlaces(places map[string]Pos, file, path string, n *yaml.Node) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		at := join(path, n.Content[i].Value)
		places[at] = Pos{File: file, Line: n.Content[i].Line, Column: n.Content[i].Column, Path: at}
		addPlaces(places, file, at, n.Content[i+1])
	}
}

// FindScalar returns the line of the first scalar of a document that matches.
func FindScalar(data []byte, match func(value string) bool) (line int, found bool) {
	root, _, err := parse(data)
	if err != nil {
		return 0, false
	}
	var search func(n *yaml.Node) bool
	search = func(n *yaml.Node) bool { // the value of an alias is elsewhere in the document
		if n.Kind == yaml.ScalarNode && match(n.Value) {
			line = n.Line
			return true
		}
		return slices.ContainsFunc(n.Content, search)
	}
	found = search(root)
	return line, found
}

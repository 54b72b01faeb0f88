package yamldoc

import "go.yaml.in/yaml/v3"

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

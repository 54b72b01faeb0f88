package rule

import (
	"slices"
)

// members returns the top-level members that each topic's rules read.
func (b *builder) members() map[string][]string {
	reads := make(map[string][]string)
	for topic, paths := range b.paths {
		var names []string
		whole := false
		for _, path := range paths {
			if len(path) == 0 {
				whole = true
				break
			}
			if !slices.Contains(names, path[0]) {
				names = append(names, path[0])
			}
		}
		if !whole {
			slices.Sort(names)
			reads[string(topic)] = names
		}
	}
	return reads
}

package rule

import "testing"

func TestKeyHashDependsOnPartsAndOrder(t *testing.T) {
	r := NewResolved()
	seen := make(map[uint64][]string)
	for _, key := range [][]string{{}, {""}, {"", ""}, {"a"}, {"b"}, {"ab"}, {"a", "b"}, {"b", "a"}, {"", "ab"}, {"ab", ""}, {"a", "b", ""}, {"a", "a"}} {
		for _, id := range []string{"r to x", "r to y", "a"} {
			h := r.hash(id, key)
			if other, ok := seen[h]; ok {
				t.Errorf("%q %q and %q have one hash", id, key, other)
			}
			if seen[h] = append([]string{id}, key...); h != r.hash(id, key) {
				t.Errorf("%q %q has two hashes", id, key)
			}
		}
	}
}

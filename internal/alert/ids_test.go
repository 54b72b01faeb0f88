package alert

import "testing"

// TestIDsOfDifferentSourcesDiffer: each component, also the group and the topic's id,
// changes the id.
func TestIDsOfDifferentSourcesDiffer(t *testing.T) {
	src := Source{Cluster: "c", Topic: "t", Partition: 1, Offset: 2}
	ids := map[string]string{
		"alert": NewID("g", src, "r"), "delivery": NewDelivery(NewID("g", src, "r"), "ch"), "entry": NewEntry("g", src),
	}
	for name, other := range map[string]struct {
		group, rule, channel string
		src                  Source
		entry                bool // component of an entry's id
	}{
		"group":     {"h", "r", "ch", src, true},
		"rule":      {"g", "s", "ch", src, false},
		"cluster":   {"g", "r", "ch", Source{"d", "t", 1, 2}, true},
		"topic":     {"g", "r", "ch", Source{"c", "u", 1, 2}, true},
		"partition": {"g", "r", "ch", Source{"c", "t", 3, 2}, true},
		"offset":    {"g", "r", "ch", Source{"c", "t", 1, 3}, true},
	} {
		id := NewID(other.group, other.src, other.rule)
		if id == ids["alert"] || NewDelivery(id, other.channel) == ids["delivery"] {
			t.Errorf("the same alert or delivery id for another %s", name)
		}
		if (NewEntry(other.group, other.src) != ids["entry"]) != other.entry {
			t.Errorf("entry id for another %s: %s", name, NewEntry(other.group, other.src))
		}
	}
	if NewDelivery(ids["alert"], "other") == ids["delivery"] {
		t.Error("the same delivery id for another channel")
	}
}

package yamldoc

import (
	"slices"
	"strings"
	"testing"
)

const edited = `# é before
tests:
  - name: "ü: {" # a comment
    expect:
      - {rule: a, title: 'it''s # [', key: [x, "]"]} # kept?
      # in between
      - rule: b
        text: |
          two
            lines

        title: plain
          text
    other: [1, 2] # stays
  - {name: c, expect: [], n: 5}
  - name: last
    expect:
      - x
# the end
`

func TestEditsKeepTheRestOfTheFile(t *testing.T) {
	root, _, err := parse([]byte(edited))
	if err != nil {
		t.Fatal(err)
	}
	c := Cursor{doc: &document{}, node: root.Content[0]}
	tests := c.Field("tests").Items()
	list := tests[0].Field("expect").Items()
	for _, test := range []struct {
		edits    []Edit
		from, to string
	}{
		{[]Edit{{In: tests[0], Key: "name", Value: "new"}}, `"ü: {" #`, `new #`},
		{[]Edit{{In: list[0], Key: "title", Value: "new"}}, `'it''s # ['`, "new"},
		{[]Edit{{In: list[0], Key: "key", List: []string{"a", "b"}}, {In: list[0], Key: "rule", Value: "z"}}, `{rule: a, title: 'it''s # [', key: [x, "]"]}`, `{rule: z, title: 'it''s # [', key: [a, b]}`},
		{[]Edit{{In: list[0], Key: "added", Value: "v"}}, `"]"]}`, `"]"], added: v}`},
		{[]Edit{{In: list[1], Key: "text", Value: "t"}}, "|\n          two\n            lines\n", "t\n"},
		{[]Edit{{In: list[1], Key: "title", Value: "t"}}, "plain\n          text", "t"},
		{[]Edit{{In: list[1], Key: "added", Value: "v"}}, "plain\n          text", "plain\n          text\n        added: v"},
		{[]Edit{{In: tests[0], Key: "expect", List: []string{}}}, edited[strings.Index(edited, "\n      - {rule"):strings.Index(edited, "\n    other")], " []"},
		{[]Edit{{In: tests[0], Key: "added", List: []string{"{a: 1}", "{b: 2}"}}}, "# stays", "# stays\n    added:\n      - {a: 1}\n      - {b: 2}"},
		{[]Edit{{In: tests[0], Key: "other", List: []string{"3", "4"}}}, " [1, 2]", "\n      - 3\n      - 4"},
		{[]Edit{{In: tests[0], Key: "other", List: []string{"3"}}}, "[1, 2]", "[3]"},
		{[]Edit{{In: tests[1], Key: "expect", List: []string{"a", "b"}}, {In: tests[1], Key: "n", Value: "6"}}, "[], n: 5", "[a, b], n: 6"},
		{[]Edit{{In: tests[2], Key: "expect", List: []string{"y", "z"}}}, "- x", "- y\n      - z"},
	} {
		want := strings.Replace(edited, test.from, test.to, 1)
		got, changes, err := Apply([]byte(edited), test.edits)
		if err != nil || string(got) != want || want == edited {
			t.Errorf("%v: %v\n%s\nwant\n%s", test.edits[0].Key, err, got, want)
		}
		lines := strings.Split(edited, "\n")
		for _, c := range slices.Backward(changes) {
			lines = slices.Replace(lines, c.Line-1, c.Line-1+len(c.Old), c.New...)
		}
		if got := strings.Join(lines, "\n"); got != want {
			t.Errorf("the changes of %s lead to\n%s\nwant\n%s", test.edits[0].Key, got, want)
		}
	}
}

func TestEditsRefuseWhatIsUsedElsewhere(t *testing.T) {
	const file = "a: &x {k: 1}\nb: *x\nc: {v: &y 1, w: *y}\nd: &z [{e: {f: 1}}]\ng: *z\n"
	root, _, err := parse([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	c := Cursor{doc: &document{}, node: root.Content[0]}
	for _, e := range []Edit{{In: c, Key: "a", Value: "1"}, {In: c.Field("b"), Key: "k", Value: "1"}, {In: c.Field("a"), Key: "k", Value: "1"}, {In: c.Field("d").Items()[0].Field("e"), Key: "f", Value: "1"}, {In: c.Field("g").Items()[0].Field("e"), Key: "f", Value: "1"}, {In: c.Field("c"), Key: "v", Value: "1"}} {
		if got, _, err := Apply([]byte(file), []Edit{e}); err == nil {
			t.Errorf("%s: %s", e.Key, got)
		}
	}
	got, _, err := Apply([]byte(file), []Edit{{In: c, Key: "b", Value: "2"}, {In: c.Field("c"), Key: "w", Value: "3"}})
	if want := "a: &x {k: 1}\nb: 2\nc: {v: &y 1, w: 3}\nd: &z [{e: {f: 1}}]\ng: *z\n"; err != nil || string(got) != want {
		t.Errorf("%v %s", err, got)
	}
}

func TestEditsFillInEmptyValues(t *testing.T) {
	const empty = "a:\nb: # none\nc: 1\n"
	root, _, err := parse([]byte(empty))
	if err != nil {
		t.Fatal(err)
	}
	in := Cursor{doc: &document{}, node: root.Content[0]}
	edits := []Edit{{In: in, Key: "a", Value: "1"}, {In: in, Key: "b", Value: "2"}}
	if got, _, err := Apply([]byte(empty), edits); err != nil || string(got) != "a: 1\nb: 2 # none\nc: 1\n" {
		t.Errorf("%v %s", err, got)
	}
}

package event

import (
	"strings"
	"testing"
)

func found(text string) *Found {
	kind := Array
	if text[0] == '{' {
		kind = Object
	}
	return &Found{kind: kind, text: text}
}

func TestListsReadAsDecodeDoes(t *testing.T) {
	l := NewLists()
	all := []string{`[]`, `{}`, `[1,"a",null,[true,{"a":{"a":-0.50}}]]`, `{"x":[1,2],"x":"\u0061","y":{}}`, `[0` + strings.Repeat(`,{"a":1}`, 300) + `]`}
	var values []Value
	for _, text := range all {
		v, ok := l.Read(found(text))
		if !ok {
			t.Fatalf("%s: not read", text)
		}
		values = append(values, v)
	}
	for i, text := range all { // a later one leaves the earlier ones as they are
		q := newUnpacker(0).quota()
		want, _, err := parseJSON([]byte(text), nil, &q)
		if err != nil || !same(values[i], want) {
			t.Errorf("%s: %+v, want %+v, error %v", text, values[i], want, err)
		}
	}
	if _, ok := l.Read(found(`[0` + strings.Repeat(",0", maxListed-605) + `]`)); ok {
		t.Error("more values than the limit are read")
	}
}

func same(a, b Value) bool {
	if a.kind != b.kind || a.b != b.b || a.num != b.num || a.text != b.text || a.name != b.name || len(a.list) != len(b.list) {
		return false
	}
	for i := range a.list {
		if !same(a.list[i], b.list[i]) {
			return false
		}
	}
	return true
}

func TestResetListsHoldNoRecord(t *testing.T) {
	l := NewLists()
	for _, text := range []string{`["a",["b"]]`, `["c",{"d":"e"},[1,2,3],[[["f"]]]]`, `[NaN]`} {
		_, _ = l.Read(found(text))
		l.Reset()
		for _, values := range [][]Value{l.values[:cap(l.values)], l.parser.stack[:cap(l.parser.stack)]} {
			for i, v := range values {
				if v.kind != Missing || v.text != "" || v.name != "" {
					t.Errorf("%s: value %d is held", text, i)
				}
			}
		}
		if l.parser.data != nil || l.parser.values != maxListed {
			t.Errorf("%s: %+v", text, l.parser)
		}
	}
}

package event

import "strconv"

// Kind is the type of a Value. The zero Kind is Missing.
type Kind uint8

// The kinds. Missing is the value of a path that does not exist.
const (
	Missing Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

// Value is an immutable JSON value. A number keeps its literal. The zero Value is
// Missing.
type Value struct {
	kind Kind
	b    bool
	num  float64
	text string  // a string's content; a number's literal
	name string  // the member's name, for a value inside an object
	list []Value // the elements of an array; the members of an object, in order
}

// NullValue returns JSON's null.
func NullValue() Value { return Value{kind: Null} }

// BoolValue returns true or false.
func BoolValue(b bool) Value { return Value{kind: Bool, b: b} }

// StringValue returns a string.
func StringValue(s string) Value { return Value{kind: String, text: s} }

// NumberValue returns a computed number; its literal is the shortest decimal
// form of f.
func NumberValue(f float64) Value { return Value{kind: Number, num: f} }

// LiteralValue returns a number with its literal.
func LiteralValue(literal string, f float64) Value {
	return Value{kind: Number, num: f, text: literal}
}

// ArrayValue returns an array of these elements.
func ArrayValue(elements []Value) Value { return Value{kind: Array, list: elements} }

// ObjectValue returns an object of these members, made by Member.
func ObjectValue(members []Value) Value { return Value{kind: Object, list: members} }

// Member returns v as the member of an object called name.
func Member(name string, v Value) Value {
	v.name = name
	return v
}

// Kind returns the value's type.
func (v Value) Kind() Kind { return v.kind }

// IsNil reports whether the value is missing or null.
func (v Value) IsNil() bool { return v.kind <= Null }

// Bool returns a boolean's value, false for every other kind.
func (v Value) Bool() bool { return v.kind == Bool && v.b }

// Float returns a number's value, 0 for every other kind.
func (v Value) Float() float64 { return v.num }

// Text returns a string's content or a number's literal, "" for other kinds.
func (v Value) Text() string {
	if v.kind == Number && v.text == "" {
		return strconv.FormatFloat(v.num, 'f', -1, 64)
	}
	return v.text
}

// Len returns how many elements or members an array or object has.
func (v Value) Len() int { return len(v.list) }

// At returns element i of an array or member i of an object; Missing when i is
// out of range.
func (v Value) At(i int) Value {
	if i < 0 || i >= len(v.list) {
		return Value{}
	}
	return v.list[i]
}

// Name returns the name of a value that is an object's member.
func (v Value) Name() string { return v.name }

// Get returns the last member called name of an object, else Missing.
func (v Value) Get(name string) Value {
	if v.kind != Object {
		return Value{}
	}
	for i := len(v.list) - 1; i >= 0; i-- {
		if v.list[i].name == name {
			return v.list[i]
		}
	}
	return Value{}
}

// Lookup follows a path of member names.
func (v Value) Lookup(path ...string) Value {
	for _, name := range path {
		v = v.Get(name)
	}
	return v
}

package yamldoc

import "strings"

// Kind is a kind of fault, for programs. The names are a contract.
type Kind string

const (
	Syntax             Kind = "syntax"
	UnknownKey         Kind = "unknown-key"
	DuplicateKey       Kind = "duplicate-key"
	MissingKey         Kind = "missing-key"
	InvalidValue       Kind = "invalid-value" // the kind of other errors
	UnknownName        Kind = "unknown-name"
	Expression         Kind = "expression"
	DoubtfulExpression Kind = "doubtful-expression"
	NotInSamples       Kind = "not-in-samples"
	DoubtfulValue      Kind = "doubtful-value" // the kind of other warnings
	Unused             Kind = "unused"
	Insecure           Kind = "insecure"
	Sample             Kind = "sample"
)

// KindText describes a kind in a sentence.
type KindText struct {
	Kind Kind
	Text string
}

// Kinds returns all kinds.
func Kinds() []KindText {
	return []KindText{
		{Syntax, "The file is not YAML, or not in the form that is read."},
		{UnknownKey, "A key does not exist."},
		{DuplicateKey, "A key or a name is there twice."},
		{MissingKey, "A key that is needed is missing."},
		{InvalidValue, "A value has the wrong type or form, is out of bounds, or contradicts another one."},
		{UnknownName, "A channel, route or calendar is named that does not exist."},
		{Expression, "An expression or a hole of a text cannot be read."},
		{DoubtfulExpression, "An expression cannot do what it seems to, or does it for no sample."},
		{NotInSamples, "A field, or a text that it is compared with, is in no sample event."},
		{DoubtfulValue, "A value is valid and probably not meant."},
		{Unused, "A variable or a calendar is not used."},
		{Insecure, "A secret, a password or an alert can be read or changed by others."},
		{Sample, "A sample event cannot be read, or is repaired."},
	}
}

// Of returns the fault with its kind.
func (f Fault) Of(kind Kind) Fault {
	f.Kind = kind
	return f
}

// kindOf returns the kind of a fault that says nothing else.
func kindOf(warning bool, message string) Kind {
	switch {
	case warning:
		return DoubtfulValue
	case strings.HasPrefix(message, "is missing"):
		return MissingKey
	case strings.HasPrefix(message, "duplicate "):
		return DuplicateKey
	}
	return InvalidValue
}

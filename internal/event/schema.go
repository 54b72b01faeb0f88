package event

// Violation says where and how a document violates the schema of its topic. It has no
// values of the document, and of its names only those that the schema has.
type Violation struct {
	Path    string // such as positions[].qty; empty: the document
	Keyword string // of the schema, such as type
	Detail  string // such as "a number instead of a string"; empty: none
}

// String returns the violation as "qty violates type: a number instead of a string".
func (v *Violation) String() string {
	text := "the document"
	if v.Path != "" {
		text = v.Path
	}
	text += " violates " + v.Keyword
	if v.Detail != "" {
		text += ": " + v.Detail
	}
	return text
}

// Schema checks documents. It is safe for concurrent use.
type Schema interface {
	// Check returns the first violation, or nil.
	Check(doc Value) *Violation
	// Reads returns the top-level members that Check reads; all: any member.
	Reads() (names []string, all bool)
	// Members returns what Check requires, if these are single top-level members.
	Members() (checks []MemberCheck, ok bool)
}

// MemberCheck reports whether a top-level member may have a value, which is Missing if
// the document lacks it. Of an array or an object only the kind is known; false may mean
// that this does not suffice.
type MemberCheck struct {
	Name    string
	Accepts func(Value) bool
}

package templated

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/algotrade/notifier/internal/yamldoc"
)

// Match is a configured condition on a response: its status, and its body.
type Match struct {
	// Status are HTTP statuses, or ranges of them such as 200..299.
	Status []Status `yaml:"status"`
	// Body is a condition on the body besides.
	Body BodyMatch `yaml:"body"`
}

// BodyMatch is a condition on a body: the value at a JSON pointer (RFC 6901), or a text.
type BodyMatch struct {
	// Pointer is the JSON pointer to a value of the body, such as /ok.
	Pointer string `yaml:"pointer"`
	// Equals is what the value is; default: anything but null.
	Equals Equals `yaml:"equals"`
	// Contains is a text that the body, or the value, contains.
	Contains string `yaml:"contains"`
}

// CheckYAML implements yamldoc.Checker.
func (b *BodyMatch) CheckYAML(at yamldoc.Cursor) {
	checkPointer(at.Field("pointer"), b.Pointer)
	if b.Pointer == "" && b.Equals != "" {
		at.Field("equals").Fault("needs pointer, such as /ok")
	}
	if b.Pointer == "" && b.Contains == "" && b.Equals == "" {
		at.Fault("needs pointer or contains")
	}
}

func checkPointer(at yamldoc.Cursor, pointer string) {
	if pointer != "" && !strings.HasPrefix(pointer, "/") {
		at.Fault("%q is not a JSON pointer, such as /ok or /error/code", pointer)
	}
}

// Place is where a response says how long to wait, in seconds.
type Place struct {
	Pointer string `yaml:"pointer"` // Pointer is a JSON pointer to the number.
	Header  string `yaml:"header"`  // Header with the number.
}

// CheckYAML implements yamldoc.Checker.
func (p *Place) CheckYAML(at yamldoc.Cursor) { checkPointer(at.Field("pointer"), p.Pointer) }

// Equals is a scalar, compared as JSON without quotes.
type Equals string

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler.
func (e *Equals) UnmarshalYAMLDoc(at yamldoc.Cursor) {
	text, ok := at.Scalar()
	if !ok {
		return
	}
	if at.Tag() == "!!bool" { // YAML knows True and TRUE, JSON does not
		text = strings.ToLower(text)
	}
	*e = Equals(text)
}

// Status is an HTTP status or a range of them, such as 200..299.
type Status struct{ from, to int }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Status) UnmarshalText(text []byte) error {
	from, to, isRange := strings.Cut(string(text), "..")
	if !isRange {
		to = from
	}
	var errs [2]error
	s.from, errs[0] = strconv.Atoi(from)
	s.to, errs[1] = strconv.Atoi(to)
	if errs[0] != nil || errs[1] != nil || s.from < 100 || s.to > 599 || s.from > s.to {
		return fmt.Errorf("%q is not a status, such as 200 or 200..299", text)
	}
	return nil
}

// String returns the status as it is written.
func (s Status) String() string {
	if s.from == s.to {
		return strconv.Itoa(s.from)
	}
	return fmt.Sprintf("%d..%d", s.from, s.to)
}

// isZero reports whether nothing is configured.
func (m Match) isZero() bool { return len(m.Status) == 0 && m.Body == BodyMatch{} }

func (m Match) match() match {
	out := match{pointer: m.Body.Pointer, equals: string(m.Body.Equals), contains: m.Body.Contains}
	for _, s := range m.Status {
		out.status = append(out.status, statusRange(s))
	}
	return out
}

// valid reports whether a text is a number in JSON.
func valid(number string) bool { return json.Valid([]byte(number)) }

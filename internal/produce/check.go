package produce

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/suggest"
)

// check decodes a document; place names it in the error.
func (s *sender) check(place string, doc []byte) (event.Event, error) {
	e, err := s.Decode(event.Record{Topic: string(s.Topic), Value: doc, Time: s.Now()})
	switch {
	case err != nil:
		refused := outcome.Classify(err)
		if refused.Cause == outcome.Schema {
			return e, fmt.Errorf("%s: schema: %s", place, refused.Detail)
		}
		return e, fmt.Errorf("%s: %s%s", place, refused.Detail, hint(refused.Cause, doc))
	case e.Repaired != "":
		return e, fmt.Errorf("%s: %s (the notifier repairs it, other consumers do not)", place, e.Repaired)
	}
	return e, nil
}

// hint returns a remedy for input that is not one document per line.
func hint(cause outcome.Cause, doc []byte) string {
	switch text := bytes.TrimSpace(doc); {
	case cause == outcome.Truncated && len(text) == 1:
		return "; if the document spans several lines, 'jq -c .' writes it on one line"
	case cause == outcome.NotAnObject && text[0] == '[':
		return "; 'jq -c .[]' writes one element per line"
	}
	return ""
}

// warnMembers warns once of each member that is the text of a Python object, as
// json.dumps(…, default=str) writes it: rules cannot read its members.
func (s *sender) warnMembers(place string, doc event.Value) error {
	for i := range doc.Len() {
		m := doc.At(i)
		if m.Kind() != event.String || !event.PythonObject(m.Text()) || !s.first("member "+m.Name()) {
			continue
		}
		if err := s.report(fmt.Sprintf("%s: warning: %s is the text of a Python object (repr): send the object's dict", place, m.Name())); err != nil {
			return err
		}
	}
	return nil
}

// warnViolation warns once of each place and keyword of the topic's schema that
// documents violate, where the notifier only counts such events.
func (s *sender) warnViolation(place string, v *event.Violation) error {
	if v == nil || !s.first("schema "+v.Path+" "+v.Keyword) {
		return nil
	}
	return s.report(fmt.Sprintf("%s: warning: schema: %s", place, v))
}

// maxWarnings limits the types, members and violations that are reported.
const maxWarnings = 20

// first reports whether a warning is the first of its subject and not too many.
func (s *sender) first(subject string) bool {
	if s.warned[subject] || len(s.warned) >= maxWarnings {
		return false
	}
	if s.warned == nil {
		s.warned = make(map[string]bool)
	}
	s.warned[subject] = true
	return true
}

// warnType warns once of an event type that is unknown or belongs to another topic.
func (s *sender) warnType(place, kind string) error {
	topic, known := s.Types[kind]
	if kind == "" || len(s.Types) == 0 || known && topic == s.Topic || !s.first("type "+kind) {
		return nil
	}
	topicTypes := make([]string, 0, len(s.Types))
	for t, topic := range s.Types {
		if topic == s.Topic {
			topicTypes = append(topicTypes, t)
		}
	}
	slices.Sort(topicTypes)
	text := fmt.Sprintf("%s: warning: an event of type %q", place, kind)
	switch closest := suggest.Closest(kind, topicTypes); {
	case known:
		text += fmt.Sprintf(" belongs to topic %s", topic)
	case closest != "":
		text += fmt.Sprintf(": did you mean %s?", closest)
	default:
		text += fmt.Sprintf(" is in no sample of %s", s.Topic)
	}
	return s.report(text)
}

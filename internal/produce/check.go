package produce

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/suggest"
)

// check decodes a document. The error says where and why it is refused.
func (s *sender) check(where string, doc []byte) (event.Event, error) {
	e, err := s.Decode(event.Record{Topic: string(s.Topic), Value: doc, Time: s.Now()})
	switch {
	case bytes.HasPrefix(doc, []byte("\xef\xbb\xbf")):
		return e, fmt.Errorf("%s: begins with a byte order mark, which is no JSON: write UTF-8 without it", where)
	case err != nil:
		refused := outcome.Classify(err)
		return e, fmt.Errorf("%s: %s%s", where, refused.Detail, hint(refused.Cause, doc))
	case e.Repaired != "":
		return e, fmt.Errorf("%s: %s: this notifier would repair it, other readers of the topic will not", where, e.Repaired)
	}
	return e, nil
}

// hint says what was probably meant by input that is not one document a line.
func hint(cause outcome.Cause, doc []byte) string {
	switch text := bytes.TrimSpace(doc); {
	case cause == outcome.Truncated && len(text) == 1:
		return "; is the document spread over several lines? 'jq -c .' writes it on one"
	case cause == outcome.NotAnObject && text[0] == '[':
		return "; 'jq -c .[]' writes its elements one a line"
	}
	return ""
}

// manyTypes is how many unknown types are warned about.
const manyTypes = 20

// warnOfType warns of a type that nobody knows, once: rules would probably pass
// it by.
func (s *sender) warnOfType(where, kind string) error {
	topic, known := s.Types[kind]
	if kind == "" || len(s.Types) == 0 || known && topic == s.Topic || s.warned[kind] || len(s.warned) >= manyTypes {
		return nil
	}
	if s.warned == nil {
		s.warned = make(map[string]bool)
	}
	s.warned[kind] = true
	of := make([]string, 0, len(s.Types))
	for t, topic := range s.Types {
		if topic == s.Topic {
			of = append(of, t)
		}
	}
	slices.Sort(of)
	text := fmt.Sprintf("%s: warning: an event of type %q", where, kind)
	switch meant := suggest.Closest(kind, of); {
	case known:
		text += fmt.Sprintf(" belongs to topic %s", topic)
	case meant != "":
		text += fmt.Sprintf(": did you mean %s?", meant)
	default:
		text += fmt.Sprintf(" is in no sample of %s", s.Topic)
	}
	return s.say(text)
}

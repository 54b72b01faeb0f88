package event

import (
	"bytes"
	"regexp"

	"github.com/algotrade/notifier/internal/outcome"
)

var byteOrderMark = []byte("\xef\xbb\xbf")

var (
	fixMessage   = regexp.MustCompile(`^8=FIXT?\.\d`)
	pythonDict   = regexp.MustCompile(`^[\[(]*\{\s*'`)
	pythonBytes  = regexp.MustCompile(`^b['"]`)
	pythonObject = regexp.MustCompile(`^([A-Za-z_][\w.]*\([^{]|<[\w.]+ object at 0x|<[\w.]+: )`) // not JSONP, not XML
)

// PythonObject reports whether a text is what str or repr makes of a Python object.
func PythonObject(text string) bool { return pythonObject.MatchString(text) }

// foreign returns an error for data that is not JSON but in another known format; nil:
// it is none of them.
func foreign(data []byte) *outcome.Error {
	data = bytes.TrimLeft(data, " \t\r\n")
	switch {
	case len(data) >= 2 && data[0] == 0x80 && data[1] >= 2 && data[1] <= 5:
		return outcome.Errorf(outcome.Pickle, "a Python pickle (protocol %d), not JSON: send json.dumps(…) instead", data[1])
	case bytes.HasPrefix(data, []byte("\xac\xed\x00\x05")):
		return outcome.Errorf(outcome.NotJSON, "a serialized Java object, not JSON: use a serializer that writes JSON")
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		return outcome.Errorf(outcome.NotUTF8, "UTF-16, not UTF-8: write UTF-8 without a byte order mark")
	case fixMessage.Match(data):
		return outcome.Errorf(outcome.FIX, "a FIX message, not JSON: send its fields as a JSON object")
	case pythonDict.Match(data):
		return outcome.Errorf(outcome.PythonText, "the text of a Python dict, not JSON: send json.dumps(…) of it instead of str(…)")
	case pythonBytes.Match(data):
		return outcome.Errorf(outcome.PythonText, "the text of Python bytes, not JSON: send the bytes themselves instead of str(…)")
	case string(bytes.TrimRight(data, " \t\r\n")) == "None":
		return outcome.Errorf(outcome.PythonText, "the text of Python's None, not JSON: send json.dumps(…) of an object")
	case pythonObject.Match(data):
		return outcome.Errorf(outcome.PythonText, "the text of a Python object (repr), not JSON: send the object's dict with json.dumps(…)")
	}
	return nil
}

// pythonValue finds what str, repr or an f-string of Python makes of a value.
var pythonValue = regexp.MustCompile(`^(?:(True|False|None|nan|inf)\s*(?:[,}\]]|$)|(')|(?:datetime\.\w+|Decimal|UUID|Timestamp|np\.\w+|array)\(|<[\w.]+ object at 0x|<[\w.]+: )`)

// unexpected fails at what is neither a value nor a member's name. The text of a Python
// object may begin like JSON.
func (p *parser) unexpected(expected string) {
	rest := p.data[min(p.pos, len(p.data)):]
	var m [][]byte
	if bytes.ContainsAny(p.data[:len(p.data)-len(rest)], "{[") {
		m = pythonValue.FindSubmatch(rest[:min(len(rest), 64)])
	}
	switch {
	case m != nil && len(m[1]) > 0:
		p.fail(outcome.PythonText, string(m[1])+" is Python: send json.dumps(…) instead of str(…) or an f-string")
	case m != nil && len(m[2]) > 0:
		p.fail(outcome.PythonText, "a text in single quotes, as Python writes it: send json.dumps(…) instead of str(…)")
	case m != nil:
		p.fail(outcome.PythonText, "the text of a Python object (repr): send its value or its dict with json.dumps(…)")
	case len(rest) > 0 && (rest[0] == '}' || rest[0] == ']') && bytes.HasSuffix(bytes.TrimRight(p.data[:p.pos], " \t\r\n"), []byte(",")):
		p.fail(outcome.NotJSON, "a comma before "+string(rest[:1])+": write the document with a JSON library, such as json.dumps(…)")
	default:
		p.fail(outcome.NotJSON, "expected "+expected)
	}
}

// trailing returns the error for the bytes after a document, which ends at byte end.
func trailing(rest []byte, end int) error {
	next := bytes.TrimLeft(rest, ",;\x00\x1e \t\r\n")
	switch {
	case bytes.HasPrefix(next, []byte("{")), bytes.HasPrefix(next, []byte("[")):
		return outcome.Errorf(outcome.SeveralDocuments, "a second document after the first, which ends at byte %d: send one document per record", end)
	case len(bytes.Trim(rest, "\x00")) == 0:
		return outcome.Errorf(outcome.TrailingBytes, "the document ends at byte %d, and NUL bytes follow (%d): send it without them", end, len(rest))
	}
	return outcome.Errorf(outcome.TrailingBytes, "the document ends at byte %d, and more follows (bytes: %d): send one document per record", end, len(rest))
}

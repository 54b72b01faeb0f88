package eventschema

import (
	"bytes"
	"encoding/json"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/algotrade/notifier/internal/safefile"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// at returns a fault at a place in a schema, given as the library does: the address of a
// file, # and a JSON pointer.
func (l *loader) at(location, message string) yamldoc.Fault {
	address, pointer := split(location)
	name, ok := l.name(address)
	if !ok {
		name = address
	}
	pos := yamldoc.Pos{File: name, Path: pointer}
	walk(l.files[address], func(at string, offset int, _ json.Token) bool {
		if at == pointer {
			pos.Line, pos.Column = lineOf(l.files[address], offset)
		}
		return at != pointer
	})
	return yamldoc.NewFault(pos, false, message)
}

func split(location string) (address, pointer string) {
	address, fragment, _ := strings.Cut(location, "#")
	pointer, err := url.PathUnescape(fragment)
	if err != nil {
		pointer = fragment
	}
	return address, pointer
}

// reference returns the place of the $ref that leads to an address; without one, the
// beginning of start.
func (l *loader) reference(start, to string) string {
	want, pointer := split(to)
	found := start + "#"
	for address, data := range l.files {
		from, err := url.Parse(address)
		if err != nil {
			continue
		}
		walk(data, func(at string, _ int, token json.Token) bool {
			ref, isText := token.(string)
			if !isText || !strings.HasSuffix(at, "/$ref") {
				return true
			}
			for _, origin := range []string{from.String(), l.id} {
				u, err := url.Parse(origin)
				if err != nil {
					continue
				}
				if u, err = u.Parse(ref); err != nil {
					continue
				}
				if a, p := split(u.String()); a == want && (pointer == "" || p == pointer) {
					found = address + "#" + (&url.URL{Path: at}).EscapedPath()
					return false
				}
			}
			return true
		})
	}
	return found
}

// shown returns an address as the file that it stands for.
func (l *loader) shown(address string) string {
	file, pointer := split(address)
	if name, ok := l.name(file); ok {
		file = filepath.Base(name)
	}
	if pointer != "" {
		file += "#" + pointer
	}
	return file
}

// walk calls visit with the JSON pointer, the offset and the first token of each value
// of a document, until it returns false or the document ends.
func walk(data []byte, visit func(pointer string, offset int, first json.Token) bool) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var value func(pointer string) bool
	value = func(pointer string) bool {
		offset := start(data, int(d.InputOffset()))
		token, err := d.Token()
		if err != nil || !visit(pointer, offset, token) {
			return false
		}
		for i := 0; (token == json.Delim('{') || token == json.Delim('[')) && d.More(); i++ {
			part := strconv.Itoa(i)
			if token == json.Delim('{') {
				name, err := d.Token()
				if err != nil {
					return false
				}
				part = strings.NewReplacer("~", "~0", "/", "~1").Replace(name.(string))
			}
			if !value(pointer + "/" + part) {
				return false
			}
		}
		if _, open := token.(json.Delim); open {
			_, err = d.Token() // the closing bracket
		}
		return err == nil
	}
	value("")
}

// start returns the offset of the value that follows an offset.
func start(data []byte, offset int) int {
	rest := data[min(offset, len(data)):]
	return len(data) - len(bytes.TrimLeft(rest, " \t\r\n:,"))
}

func lineOf(data []byte, offset int) (line, column int) {
	before := data[:max(0, min(offset, len(data)))]
	return 1 + bytes.Count(before, []byte("\n")), len(before) - bytes.LastIndexByte(before, '\n')
}

// reason returns why a file cannot be read.
func reason(err error) string { return "cannot be read: " + safefile.Reason(err).Error() }

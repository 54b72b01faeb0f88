package ruletest

import (
	"errors"
	"maps"
	"slices"
	"strconv"

	"github.com/algotrade/notifier/internal/backtest"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// edits returns the edits with which a test expects the messages that were sent, and as many
// suppressed alerts as there were.
func (s *sent) edits(t *Test) ([]yamldoc.Edit, error) {
	var edits []yamldoc.Edit
	for _, name := range slices.Sorted(maps.Keys(t.Messages)) {
		x, got := t.Messages[name], s.messages[name]
		switch _, known := s.channels[name]; {
		case !known:
			return nil, errors.New("messages: there is no channel " + name)
		case len(s.compareChannel(name, x)) == 0:
		case x.list == nil:
			edits = append(edits, yamldoc.Edit{In: t.at.Field("messages"), Key: name, Value: strconv.Itoa(len(got))})
		case len(got) == len(x.list):
			for i := range x.list {
				edits = append(edits, s.editsOf(&x.list[i], &got[i])...)
			}
		default:
			list := make([]string, len(got))
			for i := range got {
				var x0 *Message
				if i < len(x.list) {
					x0 = &x.list[i]
				}
				list[i] = flowMapping(s.values(x0, &got[i]))
			}
			edits = append(edits, yamldoc.Edit{In: t.at.Field("messages"), Key: name, List: list})
		}
	}
	for i := range t.Suppressed {
		x := &t.Suppressed[i]
		if len(s.compareSuppressed([]Suppressed{*x})) > 0 {
			edits = append(edits, yamldoc.Edit{In: x.at, Key: "count", Value: strconv.Itoa(s.suppressed(x))})
		}
	}
	return edits, nil
}

// editsOf returns the edits of one message: of what differs.
func (s *sent) editsOf(x *Message, got *backtest.Message) (edits []yamldoc.Edit) {
	for _, v := range s.values(x, got) {
		if x.difference(v.name, s.value(v.name, got)) != "" {
			edits = append(edits, yamldoc.Edit{In: x.at, Key: v.name, Value: v.flow})
		}
	}
	return edits
}

// values returns a message as a test expects it: with the keys of the expectation, or
// without one with the usual keys.
func (s *sent) values(x *Message, got *backtest.Message) (values []value) {
	for _, key := range messageKeys {
		v := s.value(key, got)
		var given bool
		switch key {
		case "after", "severity", "title":
			given = x == nil
		case "state":
			given = x == nil && v != firing
		case "members":
			given = x == nil && got.Members > 1
		case "edit":
			given = x == nil && got.Edit
		}
		if x != nil {
			want, _ := x.expected(key)
			given = want != nil
		}
		if given {
			values = append(values, value{key, flow(v)})
		}
	}
	return values
}

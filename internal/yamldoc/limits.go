package yamldoc

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/duration"
	"github.com/algotrade/notifier/internal/suggest"
)

// Limits are what the tags of a struct's field say of its value:
//
//	range:"1..1024"             the least and the greatest number, duration or size
//	range:"1MiB.."              one of them may be missing
//	range:"6s..30m, a reason"   the reason is a part of the fault
//	oneof:"auto,text,json"      the texts that it may be; ",auto" may be empty too
//
// The decoder reports values outside of them.
type Limits struct {
	Least, Greatest string // empty: none
	Reason          string // with its comma or colon
	Texts           []string
}

// LimitsOf returns the limits of a field.
func LimitsOf(f reflect.StructField) Limits {
	var l Limits
	if tag, ok := f.Tag.Lookup("range"); ok {
		if i := strings.IndexAny(tag, ",:"); i >= 0 {
			tag, l.Reason = tag[:i], tag[i:]
		}
		l.Least, l.Greatest, ok = strings.Cut(tag, "..")
		if !ok {
			panic(fmt.Sprintf("yamldoc: %s has no range: %q", f.Name, tag))
		}
	}
	if tag, ok := f.Tag.Lookup("oneof"); ok {
		l.Texts = strings.Split(tag, ",")
	}
	return l
}

// check reports a value outside of the limits.
func (l Limits) check(c Cursor, v reflect.Value) {
	if l.Texts != nil && !slices.Contains(l.Texts, v.String()) {
		known := slices.DeleteFunc(slices.Clone(l.Texts), func(s string) bool { return s == "" })
		text := fmt.Sprintf("%q is not one of %s", v.String(), enumerated(known))
		if near := suggest.Closest(v.String(), known); near != "" {
			text += ": did you mean " + near + "?"
		}
		c.Fault("%s", text)
	}
	if l.Least == "" && l.Greatest == "" {
		return
	}
	n := number(v)
	tooLow := l.Least != "" && !(n >= limit(v.Type(), l.Least))
	tooHigh := l.Greatest != "" && !(n <= limit(v.Type(), l.Greatest))
	switch {
	case !tooLow && !tooHigh:
	case l.Greatest == "":
		c.Fault("%s is less than %s%s", shown(v), l.Least, l.Reason)
	case l.Least == "":
		c.Fault("%s is more than %s%s", shown(v), l.Greatest, l.Reason)
	default:
		c.Fault("%s is not between %s and %s%s", shown(v), l.Least, l.Greatest, l.Reason)
	}
}

// enumerated joins words: a, b and c.
func enumerated(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

func number(v reflect.Value) float64 {
	if v.CanFloat() {
		return v.Float()
	}
	return float64(v.Int())
}

// limit returns a limit, which is written as the values are.
func limit(t reflect.Type, text string) float64 {
	v := reflect.New(t)
	var n float64
	var err error
	switch u, isText := v.Interface().(encoding.TextUnmarshaler); {
	case isText:
		err = u.UnmarshalText([]byte(text))
		n = number(v.Elem())
	case t == durationType:
		var d time.Duration
		d, err = duration.Parse(text)
		n = float64(d)
	default:
		n, err = strconv.ParseFloat(text, 64)
	}
	if err != nil {
		panic(fmt.Sprintf("yamldoc: limit of %s: %v", t, err))
	}
	return n
}

func shown(v reflect.Value) string {
	if v.Type() == durationType {
		return duration.Text(time.Duration(v.Int()))
	}
	return fmt.Sprint(v.Interface())
}

package samples

import (
	"regexp"
	"slices"
	"strings"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/safefile"
	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// words are texts that may stay: those of other samples, by path, and those that the rules
// compare with.
type words struct {
	samples map[string]map[string]bool
	rules   map[string]bool
}

// vocabulary reads the samples of a topic and the rules file.
func vocabulary(l *config.Loaded, topic topics.Name) (*words, error) {
	w := &words{samples: make(map[string]map[string]bool), rules: make(map[string]bool)}
	samples, _ := l.ReadSamples() // the faults are those of 'rules check'
	for _, s := range append(samples, configs.Samples(topic)...) {
		if s.Topic != topic {
			continue
		}
		if ev, err := decode(l, event.Record{Topic: string(topic), Value: s.Data}); err == nil {
			w.add("", ev.Doc)
		}
	}
	rules := configs.Rules
	if name := l.RulesFile(); name != "" {
		data, err := safefile.Read(name, yamldoc.MaxBytes)
		if err != nil {
			return nil, err
		}
		rules = data
	}
	for _, m := range literal.FindAllSubmatch(rules, -1) {
		w.rules[string(m[1])+string(m[2])] = true
	}
	return w, nil
}

// literal matches a text in quotes that is one word, as expressions have them.
var literal = regexp.MustCompile(`"([A-Za-z][\w.:-]*)"|'([A-Za-z][\w.:-]*)'`)

func (w *words) add(path string, v event.Value) {
	switch v.Kind() {
	case event.Array, event.Object:
		for i := range v.Len() {
			at := path
			if v.Kind() == event.Object {
				at = strings.TrimPrefix(path+"."+v.At(i).Name(), ".")
			}
			w.add(at, v.At(i))
		}
	case event.String:
		if w.samples[path] == nil {
			w.samples[path] = make(map[string]bool)
		}
		w.samples[path][v.Text()] = true
	}
}

var (
	currency = regexp.MustCompile(`^[A-Z]{3}$`)
	side     = regexp.MustCompile(`(?i)^(buy|sell|long|short|bid|ask|flat)$`)
)

// has returns which texts may stay. typePaths are where events have their type.
func (w *words) has(typePaths []string) func(path, text string) bool {
	return func(path, text string) bool {
		last := path[strings.LastIndexByte(path, '.')+1:]
		return slices.Contains(typePaths, path) || w.samples[path][text] || w.rules[text] || side.MatchString(text) ||
			(strings.Contains(last, "currency") || last == "ccy") && currency.MatchString(text)
	}
}

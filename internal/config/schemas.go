package config

import (
	"crypto/sha256"
	"path/filepath"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/eventschema"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Schemas are the JSON Schemas of the topics that have one.
type Schemas struct {
	ByTopic map[topics.Name]*eventschema.Schema
	files   []string // that were read, in this order
	sum     [sha256.Size]byte
}

// builtIn is the schema.file that stands for the embedded schema of the topic.
const builtIn = "built-in"

// loadSchemas reads the schemas of the configuration as they are now. A schema with a
// fault that is an error is missing.
func (l *Loaded) loadSchemas() (Schemas, yamldoc.Faults) {
	s := Schemas{ByTopic: make(map[topics.Name]*eventschema.Schema)}
	var faults yamldoc.Faults
	read := l.reader()
	digest := sha256.New()
	for _, topic := range topics.All() {
		ref := l.Events.Topics[string(topic)].Schema
		if ref.File == "" {
			continue
		}
		name := ref.File
		if name == builtIn {
			s.ByTopic[topic], _ = eventschema.Load(string(topic)+".json", func(string) ([]byte, error) { return configs.Schema(topic), nil })
			continue
		}
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(l.File), name)
		}
		compiled, found := eventschema.Load(name, func(name string) ([]byte, error) {
			data, err := read(name)
			s.files = append(s.files, name)
			digest.Write(data)
			return data, err
		})
		switch {
		case compiled != nil:
			s.ByTopic[topic] = compiled
		case len(found) == 1 && found[0].File == name && strings.HasPrefix(found[0].Message, "cannot be read"):
			found = yamldoc.Faults{l.fault("events."+string(topic)+".schema.file", name+" "+found[0].Message)}
		}
		faults = append(faults, found...)
	}
	s.sum = [sha256.Size]byte(digest.Sum(nil))
	return s, faults
}

// schemasNow returns the digest of the files that the schemas were read from as they are
// now. A file that cannot be read is empty.
func (l *Loaded) schemasNow() [sha256.Size]byte {
	read := l.reader()
	digest := sha256.New()
	for _, name := range l.Schemas.files {
		data, _ := read(name) // reported when the schemas are loaded
		digest.Write(data)
	}
	return [sha256.Size]byte(digest.Sum(nil))
}

// Decoder returns a decoder of events that checks them against the schemas. reg may be
// nil.
func (l *Loaded) Decoder(reg prometheus.Registerer) *event.Decoder {
	return event.NewDecoder(&l.Events, nil, reg).Checking(l.Checks())
}

// Checks returns the schemas and modes of the topics for a decoder.
func (l *Loaded) Checks() map[string]event.Check { return l.Schemas.checks(&l.Events) }

func (s *Schemas) checks(events *event.Config) map[string]event.Check {
	checks := make(map[string]event.Check)
	for topic, compiled := range s.ByTopic {
		checks[string(topic)] = event.Check{Schema: compiled, Reject: events.Topics[string(topic)].Schema.Mode == event.Reject}
	}
	return checks
}

// shapes returns what the rules are checked with besides samples.
func (l *Loaded) shapes() map[topics.Name]rule.Shape {
	shapes := make(map[topics.Name]rule.Shape)
	for _, topic := range topics.All() {
		shape := rule.Shape{Strict: l.Events.Topics[string(topic)].Types == event.Strict}
		if s := l.Schemas.ByTopic[topic]; s != nil {
			shape.Schema = s
		}
		shapes[topic] = shape
	}
	return shapes
}

// checkSample warns of a configured sample that violates its topic's schema.
func (l *Loaded) checkSample(topic topics.Name, name string, doc event.Value, warn func(format string, args ...any)) {
	if s := l.Schemas.ByTopic[topic]; s != nil {
		if v := s.Check(doc); v != nil {
			warn("sample %s: %s", name, v)
		}
	}
}

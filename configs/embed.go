// Package configs embeds the default configuration, the default rules and the sample
// events.
package configs

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/topics"
)

// Notifier is the default configuration, notifier.yaml.
//
//go:embed notifier.yaml
var Notifier []byte

// Rules are the default rules, rules.yaml.
//
//go:embed rules.yaml
var Rules []byte

// RuleTests are the tests of the default rules, rules.test.yaml.
//
//go:embed rules.test.yaml
var RuleTests []byte

//go:embed editor
var editor embed.FS

// EditorSchema returns the JSON Schema of a file, such as notifier for notifier.yaml; nil: there is
// none. Package config/schema writes them.
func EditorSchema(name string) []byte {
	data, err := editor.ReadFile("editor/" + name + ".schema.json")
	if err != nil {
		return nil
	}
	return data
}

//go:embed samples
var samples embed.FS

//go:embed schemas
var schemas embed.FS

// Schema returns the JSON Schema of a topic's events.
func Schema(topic topics.Name) []byte {
	data, err := schemas.ReadFile(path.Join("schemas", string(topic)+".json"))
	if err != nil {
		panic(err) // the schemas are embedded
	}
	return data
}

// Sample is a sample event.
type Sample struct {
	Topic topics.Name
	Name  string // event type, with a suffix if it has several samples: order.filled-large
	Data  []byte
}

// Samples returns the samples of the given topics, or of all, sorted by name.
func Samples(from ...topics.Name) []Sample {
	if len(from) == 0 {
		from = topics.All()
	}
	var all []Sample
	for _, topic := range from {
		dir := path.Join("samples", string(topic))
		entries, err := fs.ReadDir(samples, dir)
		if err != nil {
			panic(err) // the samples are embedded
		}
		for _, e := range entries {
			data, err := samples.ReadFile(path.Join(dir, e.Name()))
			if err != nil {
				panic(err)
			}
			all = append(all, Sample{Topic: topic, Name: strings.TrimSuffix(e.Name(), ".json"), Data: data})
		}
	}
	return all
}

// FindSample returns the sample called name of a topic.
func FindSample(samples []Sample, topic topics.Name, name string) (Sample, error) {
	var names []string
	for _, s := range samples {
		if s.Topic == topic && s.Name == name {
			return s, nil
		}
		if s.Topic == topic {
			names = append(names, s.Name)
		}
	}
	if closest := suggest.Closest(name, names); closest != "" {
		return Sample{}, fmt.Errorf("%s has no sample %q: did you mean %s?", topic, name, closest)
	}
	return Sample{}, fmt.Errorf("%s has no sample %q; the samples are %s", topic, name, strings.Join(names, ", "))
}

// Package configs holds the shipped configuration and the sample events. They
// are files to read and to copy; the program carries them as well.
package configs

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/topics"
)

// Notifier is the shipped configuration, notifier.yaml, which explains itself.
//
//go:embed notifier.yaml
var Notifier []byte

// Rules are the default rules, rules.yaml.
//
//go:embed rules.yaml
var Rules []byte

//go:embed samples
var samples embed.FS

// Sample is one event as a platform's service would send it.
type Sample struct {
	Topic topics.Name
	// Name is the event's type, with a suffix where there are several of a
	// type: order.filled, order.filled-large.
	Name string
	Data []byte
}

// Samples returns the samples of these topics, of all when none is named, in
// the order of their names.
func Samples(of ...topics.Name) []Sample {
	if len(of) == 0 {
		of = topics.All()
	}
	var all []Sample
	for _, topic := range of {
		dir := path.Join("samples", string(topic))
		entries, err := fs.ReadDir(samples, dir)
		if err != nil {
			panic(err) // they are compiled in
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
func FindSample(topic topics.Name, name string) (Sample, error) {
	all := Samples(topic)
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.Name
	}
	if i := slices.Index(names, name); i >= 0 {
		return all[i], nil
	}
	if meant := suggest.Closest(name, names); meant != "" {
		return Sample{}, fmt.Errorf("%s has no sample %q: did you mean %s?", topic, name, meant)
	}
	return Sample{}, fmt.Errorf("%s has no sample %q; there are %s", topic, name, strings.Join(names, ", "))
}

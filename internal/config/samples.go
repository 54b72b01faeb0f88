package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/safefile"
	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Samples are the paths of sample events by topic: files with one event, or one per
// line, and directories of such files. They replace the embedded samples of the topic.
type Samples map[string][]string

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler.
func (s *Samples) UnmarshalYAMLDoc(at yamldoc.Cursor) {
	*s = make(Samples)
	for _, k := range at.Keys() {
		if _, err := topics.Parse(k.Name); err != nil {
			k.At.Fault("%v", err)
			continue
		}
		var paths []string
		k.Value.Decode(&paths)
		if slices.Contains(paths, "") {
			k.Value.Fault("a path is empty: name a file or a directory")
		}
		(*s)[k.Name] = paths
	}
}

// maxSamples limits the samples of a topic.
const maxSamples = 1000

// ReadSamples returns the configured samples, and the embedded ones of topics without
// any. Its faults are warnings: paths that cannot be read and events that are not
// read or repaired.
func (l *Loaded) ReadSamples() ([]configs.Sample, yamldoc.Faults) {
	var all []configs.Sample
	var faults yamldoc.Faults
	decoder := event.NewDecoder(&l.Events, nil, nil)
	for _, topic := range topics.All() {
		paths := l.Config.Samples[string(topic)]
		if len(paths) == 0 {
			all = append(all, configs.Samples(topic)...)
			continue
		}
		warn := func(format string, args ...any) {
			faults = append(faults, yamldoc.NewFault(l.place("samples."+string(topic)), true, fmt.Sprintf(format, args...)).Of(yamldoc.Sample))
		}
		first := len(all)
		for _, name := range l.sampleFiles(paths, warn) {
			data, err := l.reader()(name)
			if err != nil {
				warn("%v", cannotRead(name, err))
				continue
			}
			for _, s := range splitSamples(decoder, topic, name, data) {
				switch e, err := decoder.Decode(event.Record{Topic: string(topic), Value: s.Data}); {
				case err != nil:
					warn("sample %s is not an event: %v", s.Name, err)
				case len(all)-first == maxSamples:
					warn("more than %d samples: the others are not used", maxSamples)
					return all, faults
				default:
					if e.Repaired != "" {
						warn("sample %s: %s", s.Name, e.Repaired)
					}
					l.checkSample(topic, s.Name, e.Doc, warn)
					all = append(all, s)
				}
			}
		}
	}
	return all, faults
}

// sampleFiles returns the files at the paths, which are relative to the configuration.
func (l *Loaded) sampleFiles(paths []string, warn func(format string, args ...any)) []string {
	var files []string
	for _, path := range paths {
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(l.File), path)
		}
		entries, err := os.ReadDir(path)
		if err != nil { // a file, or nothing
			files = append(files, path)
			continue
		}
		found := len(files)
		for _, e := range entries {
			if slices.Contains([]string{".json", ".jsonl", ".ndjson"}, filepath.Ext(e.Name())) {
				files = append(files, filepath.Join(path, e.Name()))
			}
		}
		if len(files) == found {
			warn("%s has no file that ends with .json, .jsonl or .ndjson", path)
		}
	}
	return files
}

// splitSamples returns the event of a file, or of each line. Its name is the file's,
// with the line's number if there are several.
func splitSamples(d *event.Decoder, topic topics.Name, file string, data []byte) []configs.Sample {
	name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	if _, err := d.Decode(event.Record{Topic: string(topic), Value: data}); err == nil || bytes.Count(bytes.TrimSpace(data), []byte("\n")) == 0 {
		return []configs.Sample{{Topic: topic, Name: name, Data: data}}
	}
	var samples []configs.Sample
	for i, line := range bytes.Split(data, []byte("\n")) {
		if len(bytes.TrimSpace(line)) > 0 {
			samples = append(samples, configs.Sample{Topic: topic, Name: fmt.Sprintf("%s-%d", name, i+1), Data: line})
		}
	}
	return samples
}

// reader returns how files that belong to the configuration are read.
func (l *Loaded) reader() func(name string) ([]byte, error) {
	if l.local {
		return readTrusted
	}
	return func(name string) ([]byte, error) { return safefile.Read(name, yamldoc.MaxBytes) }
}

// RuleSamples returns the decoded samples. Their faults are those of ReadSamples.
func (l *Loaded) RuleSamples() ([]rule.Sample, yamldoc.Faults) {
	samples, faults := l.ReadSamples()
	d := event.NewDecoder(&l.Events, nil, nil)
	list := make([]rule.Sample, 0, len(samples))
	for _, s := range samples {
		e, err := d.Decode(event.Record{Topic: string(s.Topic), Value: s.Data})
		if err != nil {
			panic(err) // ReadSamples returns events only, and the embedded ones
		}
		list = append(list, rule.Sample{Name: s.Name, Event: e, BuiltIn: len(l.Config.Samples[string(s.Topic)]) == 0})
	}
	return list, faults
}

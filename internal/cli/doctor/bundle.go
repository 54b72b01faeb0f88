package doctor

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/safefile"
	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// bundle is a tar.gz for someone who helps. Everything that goes into it passes
// the redactor.
type bundle struct {
	*doctor
	name string
	file *safefile.File
	made time.Time
}

// newBundle makes the file, before anything else is done: one that is there
// already is someone's. Only its owner may read it.
func newBundle(name string, d *doctor) (*bundle, error) {
	file, err := safefile.New(name)
	if errors.Is(err, fs.ErrExist) {
		return nil, base.Misused("%s is there already, and is not overwritten", name)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot make %s: %w", name, base.Bare(err))
	}
	return &bundle{doctor: d, name: name, file: file, made: time.Now()}, nil
}

// abandon removes the file, unless it is whole.
func (b *bundle) abandon() { b.file.Abandon() }

// bundleWithin bounds gathering what goes into the bundle beside the results.
const bundleWithin = 10 * time.Second

// aboutBundle is the first thing a reader sees.
const aboutBundle = `What 'notifier doctor --bundle' found, made %s by notifier %s.

results.txt, results.jsonl     what was checked, and what to do
config.txt                     the configuration as it is in force, and where each value is from
rules.yaml                     the rules
versions.json                  of the command and what it is built from
topics.json, groups.json       of the cluster: partitions, leaders, configuration; members, offsets
readyz.json, livez.txt, metrics.txt, goroutines.txt
                               what the notifier serves that answers on http.listen
missing.txt                    what could not be had, and why

Values of secrets are taken out, and whatever looks like one ("[redacted]"). Host names, addresses,
recipients, rule texts and topic names are not. No record of any topic is in it, and no log: add
what 'journalctl -u notifier --since -1h' says.
`

// write gathers everything and writes it.
func (b *bundle) write(ctx context.Context, found []check.Result) error {
	ctx, cancel := context.WithTimeout(ctx, bundleWithin)
	defer cancel()
	var missing strings.Builder
	lacks := func(name string, err error) { fmt.Fprintf(&missing, "%s: %v\n", name, err) }

	zipped := gzip.NewWriter(b.file)
	archive := tar.NewWriter(zipped)
	add := func(name string, text []byte) error {
		text = []byte(b.hide.Redact(string(text)))
		err := archive.WriteHeader(&tar.Header{Name: "notifier-doctor/" + name, Mode: 0o600, Size: int64(len(text)), ModTime: b.made, Format: tar.FormatPAX})
		if err == nil {
			_, err = archive.Write(text)
		}
		return err
	}
	files := []struct {
		name string
		make func(context.Context) ([]byte, error)
	}{
		{"README.txt", func(context.Context) ([]byte, error) {
			return fmt.Appendf(nil, aboutBundle, b.made.UTC().Format(time.RFC3339), base.VersionText()), nil
		}},
		{"results.txt", func(context.Context) ([]byte, error) { return b.render(found, "text"), nil }},
		{"results.jsonl", func(context.Context) ([]byte, error) { return b.render(found, "json"), nil }},
		{"config.txt", b.effective},
		{"rules.yaml", b.rules},
		{"versions.json", versions},
		{"topics.json", b.topics},
		{"groups.json", b.groups},
		{"readyz.json", b.served("/readyz")},
		{"livez.txt", b.served("/livez")},
		{"metrics.txt", b.served("/metrics")},
		{"goroutines.txt", b.served("/debug/pprof/goroutine?debug=2")},
	}
	for _, f := range files {
		text, err := f.make(ctx)
		if err != nil {
			lacks(f.name, err)
			continue
		}
		if err := add(f.name, text); err != nil {
			return fmt.Errorf("cannot write %s: %w", b.name, err)
		}
	}
	err := errors.Join(add("missing.txt", []byte(missing.String())), archive.Close(), zipped.Close())
	if err == nil {
		err = b.file.Commit()
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", b.name, base.Bare(err))
	}
	return nil
}

// render is the results as the command would print them, without colour.
func (b *bundle) render(found []check.Result, format string) []byte {
	var out bytes.Buffer
	g := *b.g
	g.IO.Out, g.IO.Err, g.Output = &out, &out, format
	_ = (&doctor{g: &g}).show(found, time.Since(b.made))
	return out.Bytes()
}

// effective is the configuration as it is in force, as 'config show' has it.
func (b *bundle) effective(context.Context) ([]byte, error) {
	if b.config == nil {
		return nil, b.err
	}
	var out bytes.Buffer
	for _, v := range b.config.Values() {
		fmt.Fprintf(&out, "%s = %s\t(%s)\n", v.Key, v.Value, v.Origin)
	}
	for _, f := range b.faults {
		fmt.Fprintln(&out, "#", f.String())
	}
	return out.Bytes(), nil
}

func (b *bundle) rules(context.Context) ([]byte, error) {
	if b.config == nil {
		return nil, b.err
	}
	name := b.config.RulesFile()
	if name == "" {
		return configs.Rules, nil
	}
	text, err := safefile.Read(name, yamldoc.MaxBytes)
	return text, base.Bare(err)
}

func versions(context.Context) ([]byte, error) {
	object := map[string]any{"notifier": base.VersionText(), "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH, "processors": runtime.NumCPU()}
	if info, ok := debug.ReadBuildInfo(); ok {
		modules := make(map[string]string)
		for _, m := range info.Deps {
			modules[m.Path] = m.Version
		}
		object["modules"] = modules
	}
	return json.MarshalIndent(object, "", "  ")
}

// served returns what the notifier serves at a path, and an error where it
// serves nothing there.
func (b *bundle) served(path string) func(context.Context) ([]byte, error) {
	return func(ctx context.Context) ([]byte, error) {
		status, body, err := b.daemon.Get(ctx, path)
		if err == nil && (status == http.StatusNotFound || status == http.StatusMethodNotAllowed) {
			err = fmt.Errorf("the notifier does not serve %s", path)
		}
		return body, err
	}
}

// partitionState is one partition of a topic.
type partitionState struct {
	Partition int32   `json:"partition"`
	Leader    int32   `json:"leader"`
	Replicas  []int32 `json:"replicas"`
	ISR       []int32 `json:"isr"`
	Start     int64   `json:"start"`
	End       int64   `json:"end"`
	Err       string  `json:"err,omitempty"`
}

type topicState struct {
	Topic      string            `json:"topic"`
	Err        string            `json:"err,omitempty"`
	Partitions []partitionState  `json:"partitions"`
	Configs    map[string]string `json:"configs"` // those that are not the cluster's defaults
}

// topics describes the sources and all topics of the group, also those of
// channels that are configured no more.
func (b *bundle) topics(ctx context.Context) ([]byte, error) {
	cl, err := b.cluster.reach()
	if err != nil {
		return nil, err
	}
	adm := kadm.NewClient(cl)
	details, err := adm.ListTopics(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range details.Names() {
		if slices.Contains(topics.All(), topics.Name(name)) || strings.HasPrefix(name, b.cluster.config.Group+".") {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return []byte("[]\n"), nil
	}
	starts, _ := adm.ListStartOffsets(ctx, names...) // without them, the rest still helps
	ends, _ := adm.ListEndOffsets(ctx, names...)
	described, _ := adm.DescribeTopicConfigs(ctx, names...)
	var list []topicState
	for _, name := range names {
		t := topicState{Topic: name, Configs: make(map[string]string), Err: text(details[name].Err)}
		for _, p := range details[name].Partitions.Sorted() {
			start, _ := starts.Lookup(name, p.Partition)
			end, _ := ends.Lookup(name, p.Partition)
			t.Partitions = append(t.Partitions, partitionState{
				Partition: p.Partition, Leader: p.Leader, Replicas: p.Replicas, ISR: p.ISR, Start: start.Offset, End: end.Offset, Err: text(p.Err),
			})
		}
		if c, err := described.On(name, nil); err == nil {
			for _, kv := range c.Configs {
				if kv.Source.String() == "DYNAMIC_TOPIC_CONFIG" && !kv.Sensitive {
					t.Configs[kv.Key] = kv.MaybeValue()
				}
			}
		}
		list = append(list, t)
	}
	return json.MarshalIndent(list, "", " ")
}

type memberState struct {
	Member   string             `json:"member"`
	Instance string             `json:"instance,omitempty"`
	Client   string             `json:"client"`
	Host     string             `json:"host"`
	Assigned map[string][]int32 `json:"assigned"`
}

type groupState struct {
	Group   string                     `json:"group"`
	State   string                     `json:"state"`
	Err     string                     `json:"err,omitempty"`
	Members []memberState              `json:"members"`
	Offsets map[string]map[int32]int64 `json:"offsets"` // committed, by topic and partition
}

// groups describes our two groups.
func (b *bundle) groups(ctx context.Context) ([]byte, error) {
	cl, err := b.cluster.reach()
	if err != nil {
		return nil, err
	}
	adm := kadm.NewClient(cl)
	var list []groupState
	for _, name := range []string{b.cluster.config.Group, topics.OutboxGroup(b.cluster.config.Group)} {
		described, err := adm.DescribeGroups(ctx, name)
		d := described[name]
		g := groupState{Group: name, State: d.State, Err: text(errors.Join(err, d.Err)), Offsets: make(map[string]map[int32]int64)}
		for _, m := range d.Members {
			j := memberState{Member: m.MemberID, Client: m.ClientID, Host: m.ClientHost, Assigned: make(map[string][]int32)}
			if m.InstanceID != nil {
				j.Instance = *m.InstanceID
			}
			if a, ok := m.Assigned.AsConsumer(); ok {
				for _, t := range a.Topics {
					j.Assigned[t.Topic] = t.Partitions
				}
			}
			g.Members = append(g.Members, j)
		}
		if offsets, err := adm.FetchOffsets(ctx, name); err == nil {
			offsets.Each(func(o kadm.OffsetResponse) {
				if g.Offsets[o.Topic] == nil {
					g.Offsets[o.Topic] = make(map[int32]int64)
				}
				g.Offsets[o.Topic][o.Partition] = o.At
				if o.Err != nil {
					g.Err = text(o.Err)
				}
			})
		}
		list = append(list, g)
	}
	return json.MarshalIndent(list, "", " ")
}

// text is an error's text; empty for none.
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

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

// bundle is a tar.gz for support. Its contents are redacted.
type bundle struct {
	*doctor
	name string
	file *safefile.File
	made time.Time
}

// newBundle creates the file with mode 0600. An existing file is an error.
func newBundle(name string, d *doctor) (*bundle, error) {
	file, err := safefile.New(name)
	if errors.Is(err, fs.ErrExist) {
		return nil, base.Misused("%s already exists", name)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot create %s: %w", name, safefile.Reason(err))
	}
	return &bundle{doctor: d, name: name, file: file, made: time.Now()}, nil
}

// abandon removes an incomplete file.
func (b *bundle) abandon() { b.file.Abandon() }

// bundleWithin bounds collecting the contents besides the results.
const bundleWithin = 10 * time.Second

// aboutBundle is the bundle's README.
const aboutBundle = `Bundle of 'notifier doctor --bundle', made %s by notifier %s.

results.txt, results.jsonl     results of the checks, with remedies
config.txt                     effective configuration, with the origin of each value
rules.yaml                     the rules
versions.json                  of the command and its modules
topics.json, groups.json       partitions, leaders, configuration; members, offsets
readyz.json, livez.txt, metrics.txt, goroutines.txt
                               responses of the notifier on http.listen
missing.txt                    what could not be collected, and why

Secrets, and what looks like secrets, are redacted ("[redacted]"). Host names, addresses, recipients,
rules and topic names are not. The bundle contains no records and no log: add the output of
'journalctl -u notifier --since -1h'.
`

// write collects and writes the contents.
func (b *bundle) write(ctx context.Context, found []check.Result) error {
	ctx, cancel := context.WithTimeout(ctx, bundleWithin)
	defer cancel()
	var missing strings.Builder
	zipped := gzip.NewWriter(b.file)
	archive := tar.NewWriter(zipped)
	add := func(name string, text []byte) error {
		text = []byte(b.redactor.Redact(string(text)))
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
			fmt.Fprintf(&missing, "%s: %v\n", f.name, err)
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
		return fmt.Errorf("cannot write %s: %w", b.name, safefile.Reason(err))
	}
	return nil
}

// render returns the output of the command without colours.
func (b *bundle) render(found []check.Result, format string) []byte {
	var out bytes.Buffer
	g := *b.g
	g.IO.Out, g.IO.Err, g.Output = &out, &out, format
	_ = (&doctor{g: &g}).show(found, time.Since(b.made))
	return out.Bytes()
}

// effective returns the effective configuration, as 'config show'.
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
	return text, safefile.Reason(err)
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

// served returns the notifier's response to a path.
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
	Configs    map[string]string `json:"configs"` // of the topic, not the cluster's defaults
}

// topics describes the sources and all topics of the group, also of channels that are no longer
// configured.
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
	starts, _ := adm.ListStartOffsets(ctx, names...) // offsets and configs are optional
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

// text returns an error's text; empty for nil.
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

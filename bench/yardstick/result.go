package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// result is what bench/results keeps.
type result struct {
	Commit  string    `json:"commit"` // what was measured; with changes: …-dirty
	Date    time.Time `json:"date"`
	Machine string    `json:"machine"`
	Go      string    `json:"go"`
	Kafka   string    `json:"kafka"`
	Nodes   int       `json:"nodes,omitempty"` // of Kafka, each with a replica of each partition; 0: one
	Runs    int       `json:"runs"`
	Figures []*figure `json:"figures"`
}

// figure is one figure of a case: a value per run of each program.
type figure struct {
	Case     string    `json:"case"`
	Name     string    `json:"name"`
	Raw      []float64 `json:"raw,omitempty"`
	Peer     []float64 `json:"peer,omitempty"`
	Notifier []float64 `json:"notifier,omitempty"`
}

// describe returns an empty result of this checkout and machine.
func describe(ctx context.Context, runs int) (*result, error) {
	commit, err := command(ctx, "git", "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*")
	if err != nil {
		return nil, err
	}
	cpus, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return nil, err
	}
	kafka, err := os.ReadFile(script)
	if err != nil {
		return nil, err
	}
	return &result{
		Commit: commit, Date: time.Now().UTC().Truncate(time.Second), Go: strings.TrimPrefix(runtime.Version(), "go"), Runs: runs,
		Machine: fmt.Sprintf("%d cores of %s", runtime.NumCPU(), strings.TrimLeft(after(cpus, "model name"), "\t :")),
		Kafka:   after(kafka, "version="),
	}, nil
}

// after returns the rest of the first line that begins so.
func after(text []byte, begin string) string {
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, begin); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// add adds a run's values.
func (r *result) add(name, program string, v values) {
	for _, one := range v {
		f := r.find(name, one.Name)
		if f == nil {
			f = &figure{Case: name, Name: one.Name}
			r.Figures = append(r.Figures, f)
		}
		switch program {
		case peer:
			f.Peer = append(f.Peer, one.Value)
		case notifier:
			f.Notifier = append(f.Notifier, one.Value)
		default:
			f.Raw = append(f.Raw, one.Value)
		}
	}
}

func (r *result) find(name, figureName string) *figure {
	i := slices.IndexFunc(r.Figures, func(f *figure) bool { return f.Case == name && f.Name == figureName })
	if i < 0 {
		return nil
	}
	return r.Figures[i]
}

// ratio returns how many times better the notifier is than the peer; 0: there is
// nothing to compare.
func (f *figure) ratio() float64 {
	n, p := median(f.Notifier), median(f.Peer)
	switch {
	case n <= 0 || p <= 0 || f.counts():
		return 0
	case strings.HasSuffix(f.Name, "/s"):
		return n / p
	}
	return p / n
}

// counts reports whether the figure counts faults.
func (f *figure) counts() bool {
	return f.Name == missing || f.Name == duplicates || f.Name == outOfOrder
}

// median returns the median; 0: there are no values.
func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// table prints medians and ratios.
func (r *result) table(out io.Writer) {
	const row = "%-10s %-24s %14s %14s %14s %8s\n"
	fmt.Fprintf(out, row, "case", "figure", "raw", "peer", "notifier", "ratio")
	for _, f := range r.Figures {
		ratio := ""
		if v := f.ratio(); v > 0 {
			ratio = fmt.Sprintf("%.2f", v)
		}
		fmt.Fprintf(out, row, f.Case, f.Name, readable(f.Raw), readable(f.Peer), readable(f.Notifier), ratio)
	}
	fmt.Fprintf(out, "medians of %s; ratio: how many times better the notifier is than the peer\n%s, Kafka %s, Go %s, commit %s\n",
		plural(r.Runs, "run"), r.Machine, r.cluster(), r.Go, r.Commit)
}

// cluster returns Kafka's version, and how many nodes there are if there are several.
func (r *result) cluster() string {
	if r.Nodes > 1 {
		return fmt.Sprintf("%s on %d nodes with replication %[2]d", r.Kafka, r.Nodes)
	}
	return r.Kafka
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// readable returns the median for people: 1,234,567, 12.3 or 0.12; "" without
// values.
func readable(v []float64) string {
	m := median(v)
	switch {
	case len(v) == 0:
		return ""
	case m == 0 || m >= 1000:
		digits := fmt.Sprintf("%.0f", m)
		for i := len(digits) - 3; i > 0; i -= 3 {
			digits = digits[:i] + "," + digits[i:]
		}
		return digits
	case m >= 10:
		return fmt.Sprintf("%.1f", m)
	}
	return fmt.Sprintf("%.2f", m)
}

// write writes the result and its chart.
func (r *result) write(dir string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	name, chart := r.Date.Format(time.DateOnly)+"-"+r.Commit, "chart"
	if r.Nodes > 1 {
		suffix := fmt.Sprintf("-%d-nodes", r.Nodes)
		name, chart = name+suffix, chart+suffix
	}
	if err := os.WriteFile(filepath.Join(dir, name+".json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	if !slices.ContainsFunc(r.Figures, func(f *figure) bool { return f.ratio() > 0 }) {
		return nil // nothing to draw
	}
	return os.WriteFile(filepath.Join(dir, chart+".svg"), []byte(r.chart()), 0o644)
}

// newest returns the newest result with one node in a directory. Figures that it lacks are
// those of older results.
func newest(dir string) (*result, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	var all []*result
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		r := &result{}
		if err := json.Unmarshal(text, r); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if r.Nodes == 0 {
			all = append(all, r)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no results: make bench writes one", dir)
	}
	slices.SortFunc(all, func(a, b *result) int { return b.Date.Compare(a.Date) })
	for _, older := range all[1:] {
		for _, f := range older.Figures {
			if all[0].find(f.Case, f.Name) == nil {
				all[0].Figures = append(all[0].Figures, f)
			}
		}
	}
	return all[0], nil
}

// alone measures a case that needs no Kafka and has no peer.
func (r *result) alone(ctx context.Context, c benchCase, progress io.Writer) error {
	for i := range r.Runs {
		v, err := c.alone(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(progress, "%s %s %d: %v\n", c.name, notifier, i+1, v)
		r.add(c.name, notifier, v)
	}
	return nil
}

package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// costs is what BenchmarkCost (../cost_test.go) has measured: the CPU time of an event as
// one thing grows.
type costs struct {
	about  []string // the lines that say what was measured, where
	charts []*costChart
}

type costChart struct {
	name   string
	series []*costSeries
}

// costSeries is one line of a chart.
type costSeries struct {
	name   string
	points []costPoint
}

type costPoint struct {
	label        string
	x            float64 // the label as a number; NaN: it is none
	microseconds float64
}

// costTitles are the charts, in order, each with what its points stand for.
var costTitles = []struct{ name, title, unit string }{
	{"rules", "Recognising an event, by the number of rules", "rules"},
	{"size", "An event, by its size", "bytes"},
	{"types", "Recognising an event with the shipped rules, by its type", "type"},
	{"partitions", "An event, by source partitions", "partitions"},
	{"backlog", "An event of a backlog, from the start of the daemon", "waiting"},
}

// readCosts reads the output of go test -bench Cost. Lines "key: value" say what was
// measured; of a point that occurs twice, the last counts.
func readCosts(r io.Reader) (*costs, error) {
	c := &costs{}
	for lines := bufio.NewScanner(r); lines.Scan(); {
		line := lines.Text()
		if key, _, ok := strings.Cut(line, ": "); ok && (key == "commit" || key == "cpu" || key == "date") && !slices.Contains(c.about, line) {
			c.about = append(c.about, line)
		}
		f := strings.Fields(line)
		if len(f) < 4 || !strings.HasPrefix(f[0], "BenchmarkCost/") {
			continue
		}
		at := slices.Index(f, "cpu-ns")
		path := strings.SplitN(strings.TrimPrefix(f[0], "BenchmarkCost/"), "/", 3)
		if at < 1 || len(path) != 3 {
			return nil, fmt.Errorf("not a line of BenchmarkCost: %q", line)
		}
		ns, err := strconv.ParseFloat(f[at-1], 64)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		label := path[2]
		if i := strings.LastIndexByte(label, '-'); i > 0 { // GOMAXPROCS
			label = label[:i]
		}
		c.add(path[0], path[1], label, ns/1000)
	}
	if len(c.charts) == 0 {
		return nil, fmt.Errorf("no line of BenchmarkCost")
	}
	return c, nil
}

func (c *costs) add(chart, series, label string, microseconds float64) {
	s := c.chart(chart).line(series)
	x, err := strconv.ParseFloat(label, 64)
	if err != nil {
		x = math.NaN()
	}
	p := costPoint{label, x, microseconds}
	if i := slices.IndexFunc(s.points, func(p costPoint) bool { return p.label == label }); i >= 0 {
		s.points[i] = p
		return
	}
	s.points = append(s.points, p)
}

func (c *costs) chart(name string) *costChart {
	i := slices.IndexFunc(c.charts, func(c *costChart) bool { return c.name == name })
	if i < 0 {
		i = len(c.charts)
		c.charts = append(c.charts, &costChart{name: name})
	}
	return c.charts[i]
}

func (c *costChart) line(name string) *costSeries {
	i := slices.IndexFunc(c.series, func(s *costSeries) bool { return s.name == name })
	if i < 0 {
		i = len(c.series)
		c.series = append(c.series, &costSeries{name: name})
	}
	return c.series[i]
}

// drawCosts writes a chart of each thing that grows to dir, and their tables to out.
func drawCosts(file, dir string, out io.Writer) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	c, err := readCosts(f)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for _, t := range costTitles {
		i := slices.IndexFunc(c.charts, func(c *costChart) bool { return c.name == t.name })
		if i < 0 {
			continue
		}
		chart := c.charts[i]
		slices.SortFunc(chart.series, func(a, b *costSeries) int { return cmp.Compare(a.name, b.name) })
		for _, s := range chart.series {
			slices.SortStableFunc(s.points, func(a, b costPoint) int { return cmp.Compare(a.x, b.x) })
		}
		svg := chart.lines(t.title, t.unit)
		if t.name == "types" {
			svg = chart.bars(t.title)
		}
		if dir != "" {
			if err := os.WriteFile(filepath.Join(dir, "cost-"+t.name+".svg"), []byte(svg), 0o644); err != nil {
				return err
			}
		}
		fmt.Fprintf(out, "%s, µs of CPU time\n\n", t.title)
		chart.table(out, t.unit)
		fmt.Fprintln(out)
	}
	fmt.Fprintln(out, strings.Join(c.about, "\n"))
	return nil
}

// table prints a chart as a table of Markdown, its points in rows.
func (c *costChart) table(out io.Writer, unit string) {
	var labels []string
	header, rule := "| "+unit+" |", "|---|"
	for _, s := range c.series {
		header, rule = header+" "+s.name+" |", rule+"--:|"
		for _, p := range s.points {
			if !slices.Contains(labels, p.label) {
				labels = append(labels, p.label)
			}
		}
	}
	slices.SortStableFunc(labels, func(a, b string) int {
		x, _ := strconv.ParseFloat(a, 64)
		y, _ := strconv.ParseFloat(b, 64)
		return cmp.Compare(x, y)
	})
	fmt.Fprintf(out, "%s\n%s\n", header, rule)
	for _, label := range labels {
		row := "| " + label + " |"
		if n, err := strconv.ParseFloat(label, 64); err == nil {
			row = "| " + readable([]float64{n}) + " |"
			if n < 1000 {
				row = "| " + label + " |"
			}
		}
		for _, s := range c.series {
			i := slices.IndexFunc(s.points, func(p costPoint) bool { return p.label == label })
			if i < 0 {
				row += " |"
				continue
			}
			row += " " + readable([]float64{s.points[i].microseconds}) + " |"
		}
		fmt.Fprintln(out, row)
	}
}

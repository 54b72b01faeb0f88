package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// The figures of the case paths: see BenchmarkRelative (../relative_test.go).
const (
	relativeCPU = " x json.Valid" // CPU time in units of json.Valid
	pathAllocs  = " allocs"
)

// paths measures the steps of the usual paths without Kafka and without a peer.
func paths(ctx context.Context) (values, error) {
	out, err := command(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkRelative$", "-benchtime", "1x", "./bench")
	if err != nil {
		return nil, err
	}
	return readPaths(out)
}

// readPaths reads the output of BenchmarkRelative. The CPU time counts only of what does
// not allocate: what page faults and the collector add depends on the machine's load.
func readPaths(text string) (values, error) {
	var v values
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 || !strings.HasPrefix(f[0], "BenchmarkRelative/") {
			continue
		}
		name := strings.TrimPrefix(f[0], "BenchmarkRelative/")
		if i := strings.LastIndexByte(name, '-'); i > 0 { // GOMAXPROCS
			if _, err := strconv.Atoi(name[i+1:]); err == nil {
				name = name[:i]
			}
		}
		metrics := make(map[string]float64)
		for i := 2; i+1 < len(f); i += 2 {
			n, err := strconv.ParseFloat(f[i], 64)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", line, err)
			}
			metrics[f[i+1]] = n
		}
		v = append(v, value{name + pathAllocs, metrics["allocs"]})
		if metrics["allocs"] == 0 {
			v = append(v, value{name + relativeCPU, metrics["x-json.Valid"]})
		}
	}
	if len(v) == 0 {
		return nil, fmt.Errorf("no line of BenchmarkRelative in %q", text)
	}
	return v, nil
}

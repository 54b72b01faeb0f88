package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/ledger"
)

// gauge is something of the daemon that must not grow.
type gauge struct {
	name string
	// of reads it from /metrics.
	of func(metrics string) float64
	// A run fails when the median of its last quarter is above the one of its
	// second by more than this part and this much.
	part, much float64
	unit       float64
	word       string
}

var gauges = []gauge{
	{name: "resident memory", of: sample("process_resident_memory_bytes"), part: 0.10, much: 4 << 20, unit: 1 << 20, word: "MiB"},
	{name: "heap in use", of: sample("go_memstats_heap_inuse_bytes"), part: 0.15, much: 2 << 20, unit: 1 << 20, word: "MiB"},
	{name: "goroutines", of: sample("go_goroutines"), part: 0.05, much: 5, unit: 1},
	{name: "file handles", of: sample("process_open_fds"), part: 0, much: 5, unit: 1},
	{name: "series", of: series, part: 0.01, much: 2, unit: 1},
}

// sample reads one sample without labels.
func sample(name string) func(string) float64 {
	return func(metrics string) float64 {
		for line := range strings.Lines(metrics) {
			if text, ok := strings.CutPrefix(line, name+" "); ok {
				v, _ := strconv.ParseFloat(strings.TrimSpace(text), 64)
				return v
			}
		}
		return 0
	}
}

// series counts the samples that are exported.
func series(metrics string) float64 {
	n := 0
	for line := range strings.Lines(metrics) {
		if !strings.HasPrefix(line, "#") {
			n++
		}
	}
	return float64(n)
}

// soak runs one daemon at a steady rate. Once a minute another one comes for
// ten seconds, so that partitions go and come back.
func (st *stage) soak(ctx context.Context, total time.Duration, out io.Writer) (bool, error) {
	const every = 10 * time.Second
	if total < 12*every {
		return false, fmt.Errorf("a soak of %s has too few samples: give it at least %s", total, 12*every)
	}
	taken := make([][]float64, len(gauges))
	steady := ordinary
	steady.rate, steady.hook, steady.both = 300, 80, 10
	r := &row{
		name: "soak", what: "nothing, for long", mix: steady, daemons: 1, replays: true,
		terms: func(*scene) ledger.Terms { return ledger.Terms{Share: 0.02} },
		during: func(ctx context.Context, s *scene) error {
			watched := s.running()[0]
			var guest *daemon
			tick := time.NewTicker(every)
			defer tick.Stop()
			for i := range int(total / every) {
				select {
				case <-tick.C:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
				switch {
				case guest != nil:
					s.leave(guest)
					guest = nil
				case i%6 == 4:
					var err error
					if guest, err = s.start(1); err != nil {
						return err
					}
				}
				status, metrics := watched.get(ctx, "/metrics")
				if status != 200 {
					return fmt.Errorf("no metrics: status %d", status)
				}
				for g := range gauges {
					taken[g] = append(taken[g], gauges[g].of(metrics))
				}
			}
			return nil
		},
	}
	l := &line{row: r}
	l.scene, l.verdict, l.err = st.play(ctx, r)
	head(out)
	l.text(out)
	flat := l.ok()
	if l.err != nil {
		return false, nil
	}
	fmt.Fprintf(out, "\n%-18s %10s %10s %10s %14s\n", "OF THE DAEMON", "1ST QUARTER", "2ND", "LAST", "SLOPE/HOUR")
	for i, g := range gauges {
		v := taken[i]
		quarter := len(v) / 4
		first, second, last := median(v[:quarter]), median(v[quarter:2*quarter]), median(v[len(v)-quarter:])
		verdict := ""
		if last > second*(1+g.part)+g.much {
			verdict, flat = "  GROWS", false
		}
		fmt.Fprintf(out, "%-18s %10.1f %10.1f %10.1f %+14.1f %s%s\n", g.name, first/g.unit, second/g.unit, last/g.unit,
			slope(v[quarter:], every)/g.unit, g.word, verdict)
	}
	revoked := l.scene.revoked
	fmt.Fprintf(out, "%d samples, partitions were revoked %d times\n", len(taken[0]), revoked)
	return flat, nil
}

// slope is the growth in an hour by the line that fits best.
func slope(v []float64, every time.Duration) float64 {
	n := float64(len(v))
	var sx, sy, sxx, sxy float64
	for i, y := range v {
		x := float64(i) * every.Hours()
		sx, sy, sxx, sxy = sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}

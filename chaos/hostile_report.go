package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// check is one line of the judgement.
type check struct {
	name, bound, seen string
	ok                bool
	causes            []string // why not
}

// hostileReport is what a soak comes to.
type hostileReport struct {
	hostile   *hostile
	total     time.Duration
	drained   error
	drainTime time.Duration

	tallies []tally
	causes  map[string]int
	checks  []check
}

func (r *hostileReport) ok() bool {
	return !slices.ContainsFunc(r.checks, func(c check) bool { return !c.ok })
}

func (r *hostileReport) add(name, bound, seen string, causes ...string) {
	causes = slices.DeleteFunc(causes, func(s string) bool { return s == "" })
	r.checks = append(r.checks, check{name: name, bound: bound, seen: seen, ok: len(causes) == 0, causes: causes})
}

// judge fills in the report. pid is the process that was started.
func (r *hostileReport) judge(ctx context.Context, pid int) {
	h := r.hostile
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	dead, causes, err := h.deadLetters(ctx)
	done, doneErr := h.committed(ctx)
	r.tallies, r.causes = h.account.judge(dead, done), causes
	r.judgeProcess(pid)
	r.judgeLatency()
	if err := errors.Join(err, doneErr); err != nil {
		r.add("dead letters and commits", "readable", "", err.Error())
	}
	missed, sent := 0, 0
	var lost []string
	for _, t := range r.tallies {
		missed, sent = missed+t.missed, sent+t.sent
		if t.example != nil {
			lost = append(lost, fmt.Sprintf("%d of %s, such as %s (%s)", t.missed, t.class, t.example.at, h.account.missing(t.example, dead, done)))
		}
	}
	r.add("records without outcome", "0", fmt.Sprintf("%d of %d", missed, sent), lost...)
	cause, counted, want := "", h.counted(ctx), h.account.sources()
	if counted != want {
		cause = fmt.Sprintf("notifier_records_total says %d, %d were produced", counted, want)
	}
	r.add("records counted", fmt.Sprint(want), fmt.Sprint(counted), cause)
	cause = ""
	if r.drained != nil {
		cause = r.drained.Error()
	}
	r.add("all settled, after peace", drainWithin.String(), fmt.Sprintf("%.1f s", r.drainTime.Seconds()), cause)
	h.account.mu.Lock()
	wrong := maps.Clone(h.account.wrong)
	h.account.mu.Unlock()
	r.add("alerts bounded, well-formed", fmt.Sprintf("%d KiB", maxAlertJSON>>10), fmt.Sprintf("%d kinds of fault", len(wrong)), listed(wrong, 6))
	r.judgeProbes()
	r.judgeSecrets(ctx)
}

// counted is how many records of the sources the daemon says it has handled.
func (h *hostile) counted(ctx context.Context) (n int) {
	_, metrics := h.daemon.get(ctx, "/metrics")
	for line := range strings.Lines(metrics) {
		if sample, ok := strings.CutPrefix(line, "notifier_records_total{"); ok {
			_, value, _ := strings.Cut(strings.TrimSpace(sample), "} ")
			v, _ := strconv.ParseFloat(value, 64)
			n += int(v)
		}
	}
	return n
}

// judgeProcess: the same process runs, within its memory.
func (r *hostileReport) judgeProcess(pid int) {
	h := r.hostile
	peak, beyond := h.memory.seen()
	cause := ""
	if !beyond.IsZero() {
		cause = fmt.Sprintf("killed at %s; produced in the 3 s before: %s", beyond.Format("15:04:05"), strings.Join(h.account.suspects(beyond, 3*time.Second), ", "))
	}
	r.add("memory, peak resident", fmt.Sprintf("%d MiB", h.memory.limit>>20), fmt.Sprintf("%d MiB", peak>>20), cause)
	cause = ""
	select {
	case <-h.daemon.gone:
		cause = "it was killed beyond its memory"
		if beyond.IsZero() {
			cause = fmt.Sprintf("it ended by itself (%v): see the log", h.daemon.err)
		}
	default:
	}
	r.add("restarts", "0", fmt.Sprintf("pid %d", pid), cause)
}

// judgeLatency: planted alerts arrive in time.
func (r *hostileReport) judgeLatency() {
	h := r.hostile
	for _, l := range h.account.latencies(time.Now().Add(-h.late)) {
		seen := fmt.Sprintf("%.2f / %.2f / %.2f s", l.at(0.5).Seconds(), l.at(0.99).Seconds(), l.at(1).Seconds())
		cause := ""
		switch {
		case l.missing > 0:
			cause = fmt.Sprintf("%d of %d did not arrive", l.missing, l.missing+len(l.took))
		case l.at(1) > h.late:
			late := len(l.took) - underneath(l.took, h.late)
			where := ""
			if l.worst.behind != "" {
				where = ", behind a record of " + l.worst.behind
			}
			cause = fmt.Sprintf("%d of %d were late; the latest was at %s%s", late, len(l.took), l.worst.at, where)
		}
		r.add(fmt.Sprintf("critical to %s p50/p99/max", l.channel), h.late.String(), seen, cause)
	}
}

// underneath counts the times that are not above a bound.
func underneath(sorted []time.Duration, bound time.Duration) int {
	n, _ := slices.BinarySearchFunc(sorted, bound, func(d, b time.Duration) int {
		if d <= b {
			return -1
		}
		return 1
	})
	return n
}

func (r *hostileReport) judgeProbes() {
	p := r.hostile.probes
	p.mu.Lock()
	defer p.mu.Unlock()
	cause := ""
	if p.failed > 0 {
		cause = fmt.Sprintf("%d of %d failed, the first at %s", p.failed, p.asked, p.first)
	}
	r.add("/livez, slowest answer", liveWithin.String(), fmt.Sprintf("%.3f s of %d", p.slow.Seconds(), p.asked), cause)
}

// listed names the most frequent of what was counted, as one line.
func listed[N int | int64](counts map[string]N, most int) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if counts[a] != counts[b] {
			return int(counts[b] - counts[a])
		}
		return strings.Compare(a, b)
	})
	var parts []string
	for i, n := range names {
		if i == most {
			parts = append(parts, fmt.Sprintf("%d more", len(names)-most))
			break
		}
		parts = append(parts, fmt.Sprintf("%s (%d)", n, counts[n]))
	}
	return strings.Join(parts, ", ")
}

// text writes the report, at most 80 columns wide.
func (r *hostileReport) text(w io.Writer) {
	fmt.Fprintf(w, "\n%-18s %8s %8s %8s %8s %8s %12s\n", "CLASS", "RECORDS", "ALERTED", "DEAD", "NO ALERT", "MISSED", "BEHIND IT")
	for _, t := range r.tallies {
		behind := "-"
		if t.behind > 0 {
			behind = fmt.Sprintf("%.2f s", t.behind.Seconds())
		}
		fmt.Fprintf(w, "%-18s %8s %8s %8s %8s %8s %12s\n", t.class, grouped(t.sent), grouped(t.raised), grouped(t.dead), grouped(t.nothing), grouped(t.missed), behind)
	}
	wrapped(w, "dead letters by cause: "+listed(r.causes, 12), "")
	r.hostile.errMu.Lock()
	if len(r.hostile.errors) > 0 {
		wrapped(w, "errors logged: "+listed(r.hostile.errors, 12), "")
	}
	r.hostile.errMu.Unlock()
	fmt.Fprintf(w, "\n%-36s %8s  %-24s %s\n", "CHECK", "BOUND", "SEEN", "")
	for _, c := range r.checks {
		word := "ok"
		if !c.ok {
			word = "BREACH"
		}
		fmt.Fprintf(w, "%-36s %8s  %-24s %s\n", c.name, c.bound, c.seen, word)
		for _, cause := range c.causes {
			wrapped(w, cause, "    ")
		}
	}
	var breaches []string
	for _, c := range r.checks {
		if !c.ok {
			breaches = append(breaches, c.name)
		}
	}
	fmt.Fprintln(w)
	if len(breaches) > 0 {
		wrapped(w, "breach: "+strings.Join(breaches, "; "), "")
	}
}

// wrapped writes a text in lines of at most 80 columns, each after a prefix.
func wrapped(w io.Writer, text, prefix string) {
	line := prefix
	for word := range strings.FieldsSeq(text) {
		if len(line) > len(prefix) && len(line)+1+len(word) > 80 {
			fmt.Fprintln(w, line)
			line = prefix
		}
		if len(line) > len(prefix) {
			line += " "
		}
		line += word
	}
	fmt.Fprintln(w, line)
}

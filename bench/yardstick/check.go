package main

import (
	"fmt"
	"io"
	"strings"
)

// How much worse than the committed figures one run may be.
const (
	// margin is for the CPU time and memory beside the peer: more than the noise of a
	// machine that others use too.
	margin = 0.4
	// allocMargin is for allocations of a process: batches are smaller on a busy machine.
	allocMargin = 0.15
	// pathMargin is for the case paths. Six runs beside a load of 30 to 34, three of them
	// with four more processes that never wait, were within 1.1 % of their median.
	pathMargin = 0.05
)

// check fails when the notifier has become worse beside the peer, allocates more
// or delivers wrongly. It compares no times and no rates: what a rate is beside the peer
// depends on whether the second core is free.
func check(out io.Writer, committed, fresh *result) error {
	worse := 0
	for _, f := range fresh.Figures {
		if problem := compare(committed.find(f.Case, f.Name), f); problem != "" {
			fmt.Fprintf(out, "%s, %s: %s\n", f.Case, f.Name, problem)
			worse++
		}
	}
	if worse > 0 {
		return fmt.Errorf("worse than the result of %s in %s", committed.Commit, plural(worse, "figure"))
	}
	fmt.Fprintf(out, "not worse than the result of %s\n", committed.Commit)
	return nil
}

// compare says what is worse of a figure; "": nothing is.
func compare(committed, fresh *figure) string {
	n := median(fresh.Notifier)
	switch {
	case fresh.counts():
		if n > 0 && (fresh.Case != "kill" || fresh.Name != duplicates) { // SIGKILL may cause duplicates
			return fmt.Sprintf("%.0f, must be 0", n)
		}
	case committed == nil:
		return "not in the committed result: make bench"
	case strings.HasSuffix(fresh.Name, "/s"):
	case committed.ratio() > 0:
		if fresh.ratio()*(1+margin) < committed.ratio() {
			return fmt.Sprintf("%.2f times better than the peer, was %.2f", fresh.ratio(), committed.ratio())
		}
	case len(fresh.Peer) == 0:
		allowed := allocMargin
		if fresh.Case == "paths" {
			allowed = pathMargin
		}
		if was := median(committed.Notifier); n > was*(1+allowed) {
			return fmt.Sprintf("%.3g, was %.3g", n, was)
		}
	}
	return ""
}

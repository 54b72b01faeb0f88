package main

import (
	"fmt"
	"io"
	"strings"
)

const (
	// margin is how much worse a ratio of one run may be than the committed
	// median: more than the noise of a machine that others use too.
	margin = 0.4
	// rateMargin is the same for rates: the notifier uses both cores and the peer one, so
	// that the ratio of one program was seen from 1.2 to 2.1, as the second core was free.
	rateMargin = 0.8
	// allocMargin is the same for allocations, which have nearly no noise.
	allocMargin = 0.15
)

// check fails when the notifier has become worse beside the peer, allocates more
// or delivers wrongly. It compares no times and no rates.
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
	case committed.ratio() > 0:
		allowed := margin
		if strings.HasSuffix(fresh.Name, "/s") {
			allowed = rateMargin
		}
		if fresh.ratio()*(1+allowed) < committed.ratio() {
			return fmt.Sprintf("%.2f times better than the peer, was %.2f", fresh.ratio(), committed.ratio())
		}
	case len(fresh.Peer) == 0:
		if was := median(committed.Notifier); n > was*(1+allocMargin) {
			return fmt.Sprintf("%.2f allocations, were %.2f", n, was)
		}
	}
	return ""
}

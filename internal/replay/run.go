package replay

import "time"

// run counts the outcomes of the requests of one command, for one line in the log.
type run struct {
	name, by, comment string
	total             int // how many requests the command makes in all
	open              int // not settled
	outcomes          map[string]int
	settled           int
	changed           time.Time
}

// runOf returns the run that a request belongs to.
func (a *assignment) runOf(q *Request) *run {
	name := q.Run + "\x00" + q.By
	r := a.runs[name]
	if r == nil {
		r = &run{name: q.Run, by: q.By, comment: q.Comment, total: q.Total, outcomes: make(map[string]int)}
		a.runs[name] = r
	}
	r.changed = time.Now()
	return r
}

// count counts the outcome of a request; the last one ends the run.
func (a *assignment) count(r *run, outcome string) {
	r.open--
	r.settled++
	r.outcomes[outcome]++
	r.changed = time.Now()
	if r.settled >= r.total {
		a.endRun(r)
	}
}

// quietRun is how long a run without open requests may be idle before it counts as
// ended: its command was killed, or began under another owner.
const quietRun = time.Minute

func (a *assignment) endRuns(now time.Time) {
	for _, r := range a.runs {
		if r.open == 0 && now.Sub(r.changed) > quietRun {
			a.endRun(r)
		}
	}
}

func (a *assignment) endRun(r *run) {
	delete(a.runs, r.name+"\x00"+r.by)
	a.log.Info("replay run", "run", r.name, "by", r.by, "comment", r.comment, "requests", r.total, "settled", r.settled,
		resolved, r.outcomes[resolved], reopened, r.outcomes[reopened], quarantined, r.outcomes[quarantined], resent, r.outcomes[resent], dropped, r.outcomes[dropped])
}

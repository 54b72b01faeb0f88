package consume

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/offsets"
)

// A commit of an own topic claims the records that its owner may begin: their
// offsets are in its crash mark. Nothing is begun before a commit claims it, so
// the next owner knows which deliveries may have been sent, or may have a dead
// letter, although no commit says that they are settled.
//
//   - While the channel works, a commit claims all from its offset to some records
//     beyond the newest begun. So a new alert need not wait for a commit.
//   - Otherwise it claims the one record with which the channel is probed next.
//   - The last commit of an owner that leaves claims nothing. What may have been sent
//     all the same is among the tried records; if those are too many to be listed,
//     the commit claims their span.
//   - While commits fail, records are begun without: an alert is worth more than the
//     mark on its duplicate. Recorded says when a commit has made up for that.
type claims struct {
	recorded offsets.CrashMark // what the last commit claims that succeeded
	sure     offsets.CrashMark // what it claims and the one under way claims too
	sent     offsets.CrashMark // what the one under way claims
	asked    int64             // the first record that is to be begun next; -1: none
	askedTo  int64             // the last one
	newest   int64             // behind the newest record begun
	ahead    int               // how many records behind newest are claimed; 0: none but asked
	tries    int               // how often Try was called
	said     int               // of these, what the last commit says
	loose    int               // of these, the last that was made while commits failed
	failed   int               // commits in a row that failed
	former   offsets.CrashMark // what the former owner had claimed
	tried    map[int64]offsets.Tried
}

// claimTries is how many commits may fail before records are begun without a claim.
const claimTries = 2

func noClaims() claims {
	return claims{recorded: offsets.Unmarked, sure: offsets.Unmarked, sent: offsets.Unmarked, former: offsets.Unmarked, asked: -1, askedTo: -1}
}

// inherit takes over what the former owner's commit said; p.mu is held.
func (p *Partition) inherit(m offsets.Metadata) {
	p.tried, p.former = m.Tried, m.Crash
	p.recorded, p.sure, p.sent = m.Crash, m.Crash, m.Crash
}

// ClaimAhead sets how many records behind the newest begun a commit claims, so that
// they can be begun at once; 0: none.
func (p *Partition) ClaimAhead(n int) {
	p.mu.Lock()
	p.ahead, p.newest, p.dirty = n, 0, true
	p.mu.Unlock()
	p.member.pace.commit(true)
}

// Claim reports whether records from the first to the last may be begun together: a
// commit says so. Else one is made, and what OnCommit has set is called after it.
func (p *Partition) Claim(first, last *offsets.Entry) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked, p.askedTo = first.Offset(), last.Offset()
	if first == last && first.Tried().Maybe || p.sure.Holds(p.asked) && p.sure.Holds(p.askedTo) || p.failed >= claimTries {
		return true
	}
	if p.ahead > 0 {
		p.newest = max(p.newest, p.askedTo+1)
	}
	if !p.sent.Holds(p.asked) || !p.sent.Holds(p.askedTo) {
		p.dirty = true
		if p.failed == 0 { // else the next comes in its time
			p.member.pace.commit(true)
		}
	}
	return false
}

// Recorded reports whether commits say of records from the first to the last, for which
// Try has noted it, that they may have been begun: also if they were begun while commits
// failed. Else a commit will, and what OnCommit has set is called after it.
func (p *Partition) Recorded(first, last *offsets.Entry) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said >= p.loose || p.sure.Holds(first.Offset()) && p.sure.Holds(last.Offset())
}

// Try notes what was done for a record that is not settled.
func (p *Partition) Try(e *offsets.Entry, t offsets.Tried) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fenced || e.Settled() || e.Tried() == t {
		return
	}
	p.tracker.Try(e, t)
	p.tries++
	p.dirty = true
	if t.Maybe && p.failed > 0 {
		p.loose = p.tries
	}
	if t.Maybe && p.ahead > 0 {
		p.newest = max(p.newest, e.Offset()+1)
	}
}

// formerly returns what the former owner may have done for a record that it can
// have known; p.mu is held.
func (p *Partition) formerly(r *kgo.Record) offsets.Tried {
	if r.Offset >= p.endedAt {
		return offsets.Tried{}
	}
	t := p.tried[r.Offset]
	t.Maybe = t.Maybe || p.former.Holds(r.Offset)
	return t
}

// attempts returns what a commit says was done for the unsettled records, and what
// it claims: see claims. alone is what it claims without that list, and without the
// settled records above the watermark, up to newest. p.mu is held.
func (p *Partition) attempts(watermark, newest int64, fence bool) (tried map[int64]offsets.Tried, claim, alone offsets.CrashMark) {
	claim = offsets.Unmarked
	add := func(first, last int64) {
		if first < 0 || first > last {
			return
		}
		if claim.Names() {
			first, last = min(first, claim.First), max(last, claim.Last)
		}
		claim = offsets.CrashMark{Owned: true, First: first, Last: last}
	}
	if !fence {
		if p.askedTo >= watermark {
			add(max(p.asked, watermark), p.askedTo)
		}
		if p.ahead > 0 {
			add(watermark, max(p.newest, watermark)+int64(p.ahead)-1)
		}
	}
	next := p.tracker.Next().Offset
	tried = p.tracker.Tried()
	add(max(p.former.First, next), p.former.Last) // what was not read yet
	for offset, t := range p.tried {
		if offset >= next {
			tried[offset] = t
		}
	}
	maybe, first, last := 0, int64(-1), int64(-1)
	for offset, t := range tried {
		if t.Maybe {
			if maybe++; first < 0 || offset < first {
				first = offset
			}
			last = max(last, offset)
		}
	}
	if maybe > offsets.MaybeListed {
		add(first, last)
	}
	listed := claim
	add(first, last)
	add(watermark, newest)
	alone, claim = claim, listed
	return tried, claim, alone
}

// claiming notes that a commit with this claim is under way: of what was claimed
// before, only that is sure now which it claims as well. p.mu is held.
func (c *claims) claiming(claim offsets.CrashMark) {
	c.sent = claim
	c.sure.First, c.sure.Last = max(c.sure.First, claim.First), min(c.sure.Last, claim.Last)
	if !c.sure.Names() {
		c.sure = offsets.Unmarked
	}
}

// claimed notes how a commit ended; p.mu is held.
func (c *claims) claimed(claim offsets.CrashMark, tries int, err error) {
	if err != nil {
		c.sent = c.sure
		c.failed++
		return
	}
	c.failed = 0
	c.recorded, c.sure, c.sent, c.said = claim, claim, claim, tries
}

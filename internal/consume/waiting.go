package consume

// Commit is one committed offset as the brokers keep it, with the log that it
// should belong to: what anybody but the partition's owner can know about it.
type Commit struct {
	Cluster, TopicID string // of the log there is now; an empty id: the broker has none
	Offset           int64  // below zero: nothing is committed
	Metadata         string
}

// Waiting returns where the first record stands that is not finished, and how
// many are not, in a log that holds [start, end). What a commit says about
// records above it counts. Offsets that have no record (transaction markers,
// compaction) count as records: it is the most that can wait.
func (c Commit) Waiting(start, end int64) (first, n int64) {
	first = max(c.Offset, start)
	b, _, above, err := decodeMetadata(c.Metadata, c.Offset)
	ours := err == nil && b.cluster == c.Cluster
	if c.stale() {
		first, ours = start, false
	}
	if !ours || c.Offset < 0 {
		return first, max(end-first, 0)
	}
	if above.finished(first, c.Offset) { // retention has passed the commit
		first = above.runAt(first).first
	}
	n = max(end-first, 0)
	for at := first; at <= min(above.newest, end-1); {
		run := above.runAt(at)
		if at < run.first {
			n -= min(run.first, end) - at
		}
		at = run.last + 1
	}
	return first, max(n, 0)
}

// runAt returns the first run of unfinished offsets that ends at an offset or
// above it; where there is none, an empty one behind the newest finished.
func (u unfinished) runAt(offset int64) span {
	for _, r := range u.runs {
		if offset <= r.last {
			return r
		}
	}
	return span{u.newest + 1, u.newest + 1}
}

// Lost returns how many records that were not finished stood below the log's
// start: they were deleted unread.
func (c Commit) Lost(start int64) int64 {
	if c.Offset < 0 || c.stale() {
		return 0
	}
	_, n := c.Waiting(c.Offset, start)
	return n
}

// Bound reports whether the commit says which log it is of, as ours do.
func (c Commit) Bound() bool {
	b, _, _, err := decodeMetadata(c.Metadata, c.Offset)
	return err == nil && b.cluster == c.Cluster && b.topicID != ""
}

// stale reports whether the commit is of a topic that is gone.
func (c Commit) stale() bool {
	b, _, _, err := decodeMetadata(c.Metadata, c.Offset)
	return err == nil && b.cluster == c.Cluster && b.topicID != "" && c.TopicID != "" && b.topicID != c.TopicID
}

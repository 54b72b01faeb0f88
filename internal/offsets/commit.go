package offsets

// Commit is one committed offset as the brokers keep it, with the log that it
// should belong to: what anybody but the partition's owner can know about it.
type Commit struct {
	Cluster, TopicID string // of the log there is now; an empty id: the broker has none
	Offset           int64  // below zero: nothing is committed
	Metadata         string
}

// decode returns the commit's metadata; false: it is not ours, or of another
// cluster.
func (c Commit) decode() (Metadata, bool) {
	m, err := DecodeMetadata(c.Metadata, c.Offset)
	return m, err == nil && m.Cluster == c.Cluster
}

// Unsettled returns the offset of the first record that is not settled, and how
// many are not, in a log that holds [start, end). Offsets that have no record
// (transaction markers, compaction) count as records: the result is an upper
// bound.
func (c Commit) Unsettled(start, end int64) (first, n int64) {
	first = max(c.Offset, start)
	m, ours := c.decode()
	if c.recreated() {
		first, ours = start, false
	}
	if !ours || c.Offset < 0 {
		return first, max(end-first, 0)
	}
	if m.Gaps.Settled(first, c.Offset) { // retention has passed the commit
		first = m.Gaps.runAt(first).first
	}
	n = max(end-first, 0)
	for at := first; at <= min(m.Gaps.newest, end-1); {
		r := m.Gaps.runAt(at)
		if at < r.first {
			n -= min(r.first, end) - at
		}
		at = r.last + 1
	}
	return first, max(n, 0)
}

// Lost returns how many unsettled records were below the log's start: they
// were deleted before they were read.
func (c Commit) Lost(start int64) int64 {
	if c.Offset < 0 || c.recreated() {
		return 0
	}
	_, n := c.Unsettled(c.Offset, start)
	return n
}

// Bound reports whether the commit says which log it is of, as ours do.
func (c Commit) Bound() bool {
	m, ours := c.decode()
	return ours && m.TopicID != ""
}

// recreated reports whether the commit is of a topic that was deleted.
func (c Commit) recreated() bool {
	m, ours := c.decode()
	return ours && m.TopicID != "" && c.TopicID != "" && m.TopicID != c.TopicID
}

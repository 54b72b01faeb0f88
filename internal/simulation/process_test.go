package simulation

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/ingest"
	"github.com/algotrade/notifier/internal/outbox"
	"github.com/algotrade/notifier/internal/simulation/oracle"
	"github.com/algotrade/notifier/internal/topics"
)

// stage is which of the two groups a process is a member of.
type stage int

const (
	matching stage = iota
	delivering
)

func (s stage) group() string {
	if s == matching {
		return group
	}
	return topics.OutboxGroup(group)
}

// process is one incarnation of one stage.
type process struct {
	id     int
	stage  stage
	steps  *consume.Steps
	parts  []*part
	commit *committing
	late   []*committing // given up by us, and not by the network
	kicked bool          // out of the group, whether it knows or not
	gone   bool          // it has crashed; what it had sent may still arrive

	generation int     // of its membership
	broker     *broker // of the producer to the outboxes
	producer   *outbox.Producer
	dead       *deadLetters

	ingest *ingest.Handler
	rules  rules

	handler  *dispatch.Handler
	drivers  []*driver
	outboxes map[string]*dispatch.Dispatcher
	heard    int64 // below it, requests to move alerts are known
}

// part is one partition that a process was assigned.
type part struct {
	proc    *process
	p       *consume.Partition
	log     *topicLog
	since   time.Time // of the assignment
	next    int64     // to be read
	leaving bool      // revoked, within the grace
	left    bool      // it is another's
	failed  int       // commits in a row
	oldest  *consume.Snapshot

	ctx     context.Context
	cancel  context.CancelFunc
	batch   *ingest.Batch // of a source
	replays *replays      // of the replay topic

	assignment *dispatch.Assignment // of an outbox
}

// committing is a commit on its way; there is one at a time.
type committing struct {
	generation int
	parts      []*part
	taken      []consume.Snapshot
	applied    bool
	err        error
}

var (
	errRejected = errors.New("illegal generation")
	errLost     = errors.New("no answer")
)

// start starts a process.
func (w *world) start(s stage) *process {
	w.born++
	pr := &process{id: w.born, stage: s, rules: rules{w, w.born, w.rules}, broker: newBroker(w, w.born), dead: &deadLetters{w: w, by: w.born}}
	params := consume.Params{
		Name: "sim", Group: s.group(), Cluster: cluster, Window: consume.Window{Records: 4096, Bytes: 64 << 20},
		OwnTopics: s == delivering, Logger: w.log,
	}
	for _, l := range w.inputs(s) {
		if !slices.Contains(params.Topics, l.topic) {
			params.Topics = append(params.Topics, l.topic)
		}
	}
	pr.steps = consume.NewSteps(params)
	pr.producer = outbox.New(outbox.Params{Broker: pr.broker, Group: group, Channels: channels, Logger: w.log})
	if err := pr.producer.Load(context.Background()); err != nil {
		panic(err)
	}
	if s == delivering {
		pr.broker.atOnce = true
		w.equip(pr)
	} else {
		pr.ingest = ingest.New(ingest.Params{
			Uncommitted: 8,
			Group:       group, Cluster: cluster, Program: ingest.Program{Decoder: pr.rules, Rules: pr.rules}, Outboxes: pr.producer, Dead: pr.dead,
			Topics: []string{w.sources[0].topic}, MaxReplays: maxReplays, Logger: w.log,
		})
	}
	w.processes = append(w.processes, pr)
	return pr
}

// members returns the processes that are in the group.
func (w *world) members(s stage) []*process {
	var all []*process
	for _, pr := range w.processes {
		if pr.stage == s && !pr.kicked {
			all = append(all, pr)
		}
	}
	return all
}

// owner returns who has a partition now.
func (w *world) owner(l *topicLog) *part {
	for _, pr := range w.processes {
		for _, p := range pr.parts {
			if p.log == l && !p.left {
				return p
			}
		}
	}
	return nil
}

// assign gives an unowned partition to a member, an old or a new one.
func (w *world) assign() bool {
	s := stage(w.rng.IntN(2))
	var free []*topicLog
	for _, l := range w.inputs(s) {
		if w.owner(l) == nil {
			free = append(free, l)
		}
	}
	if len(free) == 0 {
		return false
	}
	members := w.members(s)
	if len(members) == 0 || len(members) < 2 && w.chance(50) {
		members = append(members, w.start(s))
	}
	w.give(members[w.rng.IntN(len(members))], free[w.rng.IntN(len(free))])
	return true
}

func (w *world) give(pr *process, l *topicLog) {
	last := w.commits[l]
	told := w.told["topic was recreated"]
	p, from := pr.steps.Assign(l.topic, l.partition, l.id, l.end(), last)
	if last != nil && strings.HasPrefix(l.id, "again-") && !strings.Contains(last.Metadata, l.id) && w.told["topic was recreated"] == told {
		w.unsaid++
	}
	a := &part{proc: pr, p: p, log: l, since: time.Now(), next: max(from, 0)}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	w.happened(oracle.Happening{Kind: oracle.Assigned, By: pr.id, Group: pr.stage.group(), Place: l.place(a.next)})
	pr.parts = append(pr.parts, a)
	switch {
	case pr.stage == delivering:
		a.assignment = pr.handler.Assign(p)
		w.hearAll(pr)
	case l == w.replay:
		a.replays = newReplays(w, a)
	}
}

// take begins a commit of everything that moved.
func (w *world) takeCommit(pr *process) bool {
	if pr.commit != nil || pr.gone {
		return false
	}
	c := &committing{generation: pr.generation}
	for _, p := range pr.parts {
		if s, ok := pr.steps.Snapshot(p.p, false); ok {
			if p.oldest == nil {
				p.oldest = &s
			} else if w.is(olderCommittedLater) && w.chance(20) {
				s, w.muddled[p.log] = *p.oldest, true
			}
			c.parts, c.taken = append(c.parts, p), append(c.taken, s)
		}
	}
	if len(c.parts) == 0 {
		return false
	}
	pr.commit = c
	w.claim(pr, c)
	return true
}

// claim: a commit is asked for.
func (w *world) claim(pr *process, c *committing) {
	for i, p := range c.parts {
		at := c.taken[i].Committed
		w.happened(oracle.Happening{Kind: oracle.Claimed, By: pr.id, Group: pr.stage.group(), Place: p.log.place(at.At.Offset), Above: above(p.log, at)})
	}
}

// above is what a commit says is finished above its offset.
func above(l *topicLog, c consume.Committed) (spans []oracle.Span) {
	for offset := c.At.Offset; offset < l.end(); offset++ {
		if c.Finished(offset) {
			spans = append(spans, oracle.Span{First: offset, Last: offset})
		}
	}
	return spans
}

// resolve continues with a commit: it takes effect, is answered, refused, or lost
// on its way there or back.
func (w *world) resolve(pr *process) bool {
	c := pr.commit
	if c == nil || pr.gone {
		return false
	}
	if c.applied {
		w.answer(pr, c, c.err)
		return true
	}
	if c.generation != pr.generation { // lost, and joined again meanwhile: it is not sent
		w.answer(pr, c, errRejected)
		return true
	}
	switch n := w.rng.IntN(100); {
	case w.well || n < 50:
		w.answer(pr, c, w.apply(pr, c))
	case n < 75:
		c.err, c.applied = w.apply(pr, c), true
	case n < 80: // too long for this broker
		for i := range c.taken {
			c.taken[i] = c.taken[i].WithoutDedup()
		}
		w.claim(pr, c)
		w.answer(pr, c, w.apply(pr, c))
	case n < 90:
		_ = w.apply(pr, c)
		w.answer(pr, c, errLost)
	default:
		pr.late = append(pr.late, c)
		w.answer(pr, c, errLost)
	}
	return true
}

// lateCommit has a commit take effect that its process has given up, as long as
// the group is as it was: behind one that was asked for after it.
func (w *world) lateCommit(pr *process) bool {
	if len(pr.late) == 0 || pr.gone || w.well {
		return false
	}
	c := pr.late[0]
	pr.late = pr.late[1:]
	if slices.ContainsFunc(c.parts, func(p *part) bool { return p.left }) {
		return false
	}
	if w.apply(pr, c) == nil {
		for _, p := range c.parts {
			w.setBack[p.log], w.muddled[p.log] = true, true
		}
	}
	return true
}

// apply is the coordinator taking a commit. It does not know who owns a
// partition, only who is a member.
func (w *world) apply(pr *process, c *committing) error {
	if pr.kicked || c.generation != pr.generation {
		return errRejected
	}
	for i, p := range c.parts {
		at := c.taken[i].Committed
		w.commits[p.log] = &at
		delete(w.setBack, p.log)
		w.happened(oracle.Happening{
			Kind: oracle.Committed, By: pr.id, Group: pr.stage.group(), Place: p.log.place(at.At.Offset),
			Above: above(p.log, at), Bare: pr.stage == delivering && at.Metadata != c.taken[i].Full(),
		})
	}
	return nil
}

func (w *world) answer(pr *process, c *committing, err error) {
	pr.commit = nil
	for i, s := range c.taken {
		p := c.parts[i]
		if p.failed++; err == nil {
			p.failed = 0
		}
		if p.failed >= 2 { // it sends without claims until the next commit
			w.muddled[p.log] = true
		}
		pr.steps.Answered(s, err, errors.Is(err, errLost))
	}
}

// revoke begins to take a partition from its owner.
func (w *world) revoke(p *part) bool {
	if p.left || p.leaving || p.proc.kicked {
		return false
	}
	p.leave()
	return true
}

// leave has the process stop its work on a partition.
func (p *part) leave() {
	if !p.leaving && p.assignment != nil {
		p.assignment.Leave()
	}
	p.leaving = true
	p.cancel()
}

// release ends a revoke: the grace is over. It waits for a commit on its way.
func (w *world) release(p *part) bool {
	pr := p.proc
	if !p.leaving || p.left || pr.kicked {
		return false
	}
	if !w.is(revokeDoesNotWait) {
		for pr.commit != nil {
			w.resolve(pr)
		}
	}
	if s, ok := pr.steps.Snapshot(p.p, true); ok {
		c := &committing{generation: pr.generation, parts: []*part{p}, taken: []consume.Snapshot{s}}
		w.claim(pr, c)
		switch n := w.rng.IntN(100); {
		case w.well || n < 80:
			w.answerFinal(pr, c, w.apply(pr, c))
		case n < 90:
			_ = w.apply(pr, c)
			w.answerFinal(pr, c, errLost)
		default:
			w.answerFinal(pr, c, errLost)
		}
	}
	w.leave(p)
	return true
}

func (w *world) answerFinal(pr *process, c *committing, err error) {
	for _, s := range c.taken {
		pr.steps.Answered(s, err, false)
	}
}

// leave: the partition is free.
func (w *world) leave(p *part) {
	p.left = true
	w.happened(oracle.Happening{Kind: oracle.Left, By: p.proc.id, Group: p.proc.stage.group(), Place: p.log.place(p.next)})
}

// kick is the group giving up a member that was silent for too long. The member
// does not know yet.
func (w *world) kick(pr *process) bool {
	if pr.kicked {
		return false
	}
	pr.kicked = true
	for _, p := range pr.parts {
		if !p.left {
			w.leave(p)
		}
	}
	return true
}

// learn is a member hearing that it has lost its partitions; it may join again.
func (w *world) learn(pr *process) bool {
	if !pr.kicked || pr.gone || len(pr.parts) == 0 {
		return false
	}
	for _, p := range pr.parts {
		pr.steps.Lose(p.p)
		p.leave()
	}
	if w.chance(50) {
		pr.kicked = false
		pr.generation++
	}
	return true
}

// crash ends a process at once. What it had in flight may or may not have
// arrived; what its producer had sent may arrive late.
func (w *world) crash(pr *process) bool {
	if pr.gone {
		return false
	}
	for _, d := range pr.drivers {
		d.crash()
	}
	pr.gone = true
	if pr.commit != nil && !pr.commit.applied && w.chance(50) {
		_ = w.apply(pr, pr.commit)
	}
	for _, p := range pr.parts {
		if !p.left {
			w.leave(p)
		}
	}
	pr.kicked, pr.parts, pr.commit = true, nil, nil
	pr.broker.crash()
	w.drop(pr)
	return true
}

// arrive is a broker answering a write of a process.
func (w *world) arrive(pr *process) bool {
	did := pr.broker.arrive()
	w.drop(pr)
	return did
}

// drop removes a process without pending calls.
func (w *world) drop(pr *process) {
	if !pr.gone || !pr.broker.idle() {
		return
	}
	w.processes = slices.DeleteFunc(w.processes, func(o *process) bool { return o == pr })
}

//go:build synctests

package endtoend

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/simulation/oracle"
	"github.com/algotrade/notifier/internal/topics"
)

// provider is what a channel of a trial sends to, shared by all processes. How
// it answers depends on its mood, the event and how often it was tried, not on
// which process asks.
type provider struct {
	name    string
	seed    uint64
	mood    mood
	history *history
	events  []*original

	mu        sync.Mutex
	tries     map[int]int
	recovered bool // only hopeless messages fail
	fixed     bool // not even they
	// onTaken, where it is set, is told once of the next message that is taken,
	// before its sender is.
	onTaken func(*process)
}

// mood is how often what goes wrong, in percent of attempts.
type mood struct {
	slow, failing, limited, unsure int
	// hopeless has some messages refused, some panic, and some fail each time.
	hopeless bool
	// down and suspended are when nothing is taken, as times since the trial began.
	downFrom, downUntil, suspendedFrom, suspendedUntil time.Duration
}

// refuses reports whether the message of an event fails until it is fixed: answer
// decides how.
func (m mood) refuses(event int) bool {
	return m.hopeless && slices.Contains([]int{3, 7, 11, 17}, event%37)
}

func drawMood(random *rand.Rand) mood {
	m := mood{slow: random.IntN(10), hopeless: random.IntN(2) == 0}
	if random.IntN(2) == 0 {
		m.failing = random.IntN(30)
	}
	if random.IntN(3) == 0 {
		m.limited = random.IntN(10)
	}
	if random.IntN(3) == 0 {
		m.unsure = random.IntN(8)
	}
	if random.IntN(4) == 0 {
		m.downFrom = time.Duration(random.IntN(8000)) * time.Millisecond
		m.downUntil = m.downFrom + time.Duration(random.IntN(10_000))*time.Millisecond
	}
	if random.IntN(6) == 0 {
		m.suspendedFrom = time.Duration(random.IntN(8000)) * time.Millisecond
		m.suspendedUntil = m.suspendedFrom + time.Duration(random.IntN(4000))*time.Millisecond
	}
	return m
}

// line is the channel of one life of a process. As its driver it knows the place in
// the outbox of each attempt.
type line struct {
	dispatch.Goroutines
	*provider
	process *process
	by      int

	sending sync.Mutex
	places  map[string][]oracle.Place // by delivery, what was begun and not sent
}

func (p *provider) of(n *process) *line {
	return &line{provider: p, process: n, by: n.life, places: make(map[string][]oracle.Place)}
}

// Go implements dispatch.Driver.
func (l *line) Go(w dispatch.Work) {
	if w.Attempt {
		at := l.process.trial.placeOf(w.Topic, w.Partition, w.Offset)
		delivery, _, replay := strings.Cut(w.Delivery, "@")
		l.sending.Lock()
		key := fmt.Sprint(delivery, replay)
		l.places[key] = append(l.places[key], at)
		l.sending.Unlock()
		do := w.Do
		w.Do = func() {
			do()
			l.sending.Lock()
			defer l.sending.Unlock()
			l.places[key] = slices.DeleteFunc(l.places[key], func(p oracle.Place) bool { return p == at })
		}
	}
	l.Goroutines.Go(w)
}

// place returns the place of an attempt in its outbox.
func (l *line) place(m channel.Message) (at oracle.Place) {
	l.sending.Lock()
	defer l.sending.Unlock()
	key := fmt.Sprint(m.Delivery, m.Replay > 0)
	if all := l.places[key]; len(all) > 0 {
		at, l.places[key] = all[0], all[1:]
	}
	return at
}

// answer is what becomes of one attempt.
type answer struct {
	takes time.Duration
	kind  kind
	err   error
	panic bool
	// refused: it will be each time
	refused bool
}

// Send implements channel.Channel.
func (l *line) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	n, err := strconv.Atoi(m.Alert.Title.String())
	if err != nil || n >= len(l.events) || string(l.events[n].record.Value) != string(m.Event) {
		l.history.note(garbled, l.process.name, "%s got %q as %q", l.name, m.Event, m.Alert.Title.String())
	}
	l.mu.Lock()
	l.tries[n]++
	try := l.tries[n]
	a := l.answer(n, try)
	l.mu.Unlock()
	s := step{node: l.process.name, by: l.by, channel: l.name, event: n, tries: try, replay: m.Replay > 0}
	s.what = oracle.Happening{By: l.by, Group: topics.OutboxGroup(group), Place: l.place(m)}
	say := func(k kind) {
		s.kind, s.what.Kind, s.what.Result = k, oracle.Answered, oracle.Failed
		switch {
		case k == begin:
			s.what.Kind, s.what.Result = oracle.Started, ""
		case k == died:
			s.what.Kind = ""
		case k == taken:
			s.what.Result = oracle.Delivered
		case k == unsure:
			s.what.Result = oracle.Unclear
		case a.panic || a.refused:
			s.what.Result = oracle.Refused
		}
		l.history.add(s)
	}
	select {
	case <-l.process.wire.dead: // a dead process begins nothing
		<-ctx.Done()
		return channel.Receipt{}, context.Cause(ctx)
	default:
	}
	say(begin)
	timer := time.NewTimer(a.takes)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.process.wire.dead:
		say(died)
		<-ctx.Done()
		return channel.Receipt{}, context.Cause(ctx)
	case <-ctx.Done():
		a = answer{}
		say(failed)
		return channel.Receipt{}, context.Cause(ctx)
	}
	say(a.kind)
	if a.kind == taken {
		l.mu.Lock()
		told := l.onTaken
		l.onTaken = nil
		l.mu.Unlock()
		if told != nil {
			told(l.process)
			<-ctx.Done()
			return channel.Receipt{}, context.Cause(ctx)
		}
	}
	if a.panic {
		panic("a message that the channel's code cannot take")
	}
	return channel.Receipt{}, a.err
}

// answer decides about an attempt; p.mu is held.
func (p *provider) answer(n, try int) answer {
	random := rand.New(rand.NewPCG(p.seed, uint64(n)<<16|uint64(try)))
	a := answer{kind: taken, takes: time.Duration(1+random.IntN(20)) * time.Millisecond}
	fails := func(c outcome.Cause, detail string) answer {
		a.kind, a.err = failed, outcome.Errorf(c, "%s", detail)
		return a
	}
	m := p.mood
	if m.hopeless && !p.fixed {
		switch n % 37 {
		case 3:
			a.kind, a.panic = failed, true
			return a
		case 7, 17:
			a.refused = true
			return fails(outcome.PayloadRefused, "400")
		case 11:
			return fails(outcome.Unavailable, "500 each time")
		}
	}
	if p.recovered {
		return a
	}
	now := time.Since(p.history.begun)
	switch {
	case now >= m.suspendedFrom && now < m.suspendedUntil:
		return fails(outcome.Credentials, "401")
	case now >= m.downFrom && now < m.downUntil:
		return fails(outcome.Unreachable, "refused")
	}
	if random.IntN(100) < m.slow {
		a.takes = time.Duration(200+random.IntN(3000)) * time.Millisecond
	}
	switch x := random.IntN(100); {
	case x < m.failing:
		return fails(outcome.Unavailable, "503")
	case x < m.failing+m.limited:
		a.kind = failed
		a.err = &outcome.Error{Cause: outcome.RateLimited, Detail: "429", RetryAfter: time.Duration(random.IntN(2000)) * time.Millisecond}
	case x < m.failing+m.limited+m.unsure:
		a.kind, a.err = unsure, outcome.Errorf(outcome.Timeout, "no answer")
	}
	return a
}

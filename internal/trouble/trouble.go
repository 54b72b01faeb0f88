// Package trouble tells people on one channel that another one is in trouble: suspended,
// behind by minutes, or near the retention of its outbox. Each episode is told once, and its
// end once, also across restarts: the begin of an episode is in the state topic before it is
// told, and the ids of both notices follow from it. Start reading at Watcher.Run.
package trouble

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/notice"
	"github.com/algotrade/notifier/internal/state"
)

// Params is what a Watcher needs.
type Params struct {
	Group string
	// To is the channel that is told; empty: none. Nothing is told of the channel itself.
	To       string
	Channels func() []Channel // as they are now
	Notices  interface {
		Send(ctx context.Context, channel string, a alert.Alert) error
	}
	State interface {
		Known(f func())
		Write(ctx context.Context, records ...state.Record) error
	}
	Conditions *health.Conditions
	Logger     *slog.Logger
}

// Watcher watches the channels whose outboxes this process reads.
type Watcher struct {
	p   Params
	log *slog.Logger

	mu       sync.Mutex
	owned    map[string]*ownership // by channel
	episodes map[place]*episode
}

// ownership is of a channel that this process speaks for.
type ownership struct {
	since time.Time
	known bool // what former owners have told
	// resumed is when a suspension ended that this process has told.
	resumed time.Time
}

type place struct {
	channel string
	kind    Kind
}

// episode is the value of a record in the state topic.
type episode struct {
	Began   time.Time `json:"began"`
	Cause   string    `json:"cause,omitempty"`
	Told    bool      `json:"told"`
	Waiting int64     `json:"waiting"` // the most that waited
	Oldest  time.Time `json:"oldest,omitzero"`
}

// New returns a watcher; Run watches.
func New(p Params) *Watcher {
	return &Watcher{p: p, log: p.Logger.With("component", "trouble"), owned: make(map[string]*ownership), episodes: make(map[place]*episode)}
}

// every is how often the channels are looked at.
const every = 5 * time.Second

// Run watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			w.look(ctx, time.Now())
		}
	}
}

// Learn takes in a record of the state topic. What this process owns it knows better.
func (w *Watcher) Learn(r state.Record) {
	if r.Kind != state.Trouble {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if o := w.owned[r.Channel]; o != nil && o.known {
		return
	}
	at, e := place{r.Channel, Kind(r.Key)}, new(episode)
	if r.Value == nil || json.Unmarshal(r.Value, e) != nil || e.Began.IsZero() {
		delete(w.episodes, at)
		return
	}
	w.episodes[at] = e
}

func (w *Watcher) look(ctx context.Context, now time.Time) {
	for _, c := range w.p.Channels() {
		w.condition(&c, now)
		if w.p.To == "" || w.p.To == c.Name {
			continue
		}
		o := w.owner(&c, now)
		if o == nil {
			continue
		}
		for _, k := range kinds {
			w.step(ctx, &c, k, o, now)
		}
	}
}

// condition shows that a channel is behind.
func (w *Watcher) condition(c *Channel, now time.Time) {
	if c.behind(now) {
		w.p.Conditions.Set(health.Condition{
			Type: health.Behind, Subject: c.Name, Attrs: []any{"channel", c.Name, "waiting", c.Waiting, "oldest", c.Oldest.UTC().Format(time.RFC3339)},
			Message: c.title(Behind, now) + ": " + c.remedy(Behind),
		})
	} else {
		w.p.Conditions.Clear(health.Behind, c.Name)
	}
}

// owner returns since when this process speaks for a channel; nil: it does not, or does not
// know yet what former owners have told.
func (w *Watcher) owner(c *Channel, now time.Time) *ownership {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.owned[c.Name]
	switch {
	case !c.Owned:
		delete(w.owned, c.Name)
		return nil
	case o == nil:
		o = &ownership{since: now}
		w.owned[c.Name] = o
		w.p.State.Known(func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			o.known = true
		})
	}
	if !o.known {
		return nil
	}
	return o
}

// step takes one kind of trouble a step further: it begins, is told, or has ended. What the
// state topic does not take is told all the same: after a restart it may be told again.
func (w *Watcher) step(ctx context.Context, c *Channel, k Kind, o *ownership, now time.Time) {
	at := place{c.Name, k}
	e := w.episode(at)
	if e == nil {
		// What a suspension has held up is no trouble of its own while it lasts, and when what
		// waited is sent after it.
		held := k == Behind && (w.episode(place{c.Name, Suspended}) != nil || now.Sub(o.resumed) < settled)
		if !c.begins(k, now) || held {
			return
		}
		e = &episode{Began: now.Truncate(time.Millisecond), Cause: c.cause(k)}
		w.save(ctx, at, e)
	}
	if c.Waiting > e.Waiting {
		e.Waiting, e.Oldest = c.Waiting, c.Oldest
	}
	switch {
	case !e.Told:
		if w.send(ctx, c, w.began(c, k, e, now)) {
			e.Told = true
			w.save(ctx, at, e)
		}
	case c.ended(k, e, o, now):
		if w.send(ctx, c, w.ended(c, k, e, now)) {
			w.save(ctx, at, nil)
			if k == Suspended {
				o.resumed = now
			}
		}
	}
}

// sendWithin bounds how long one notice holds up the others.
const sendWithin = 10 * time.Second

// send sends a notice; false: it is to be sent again.
func (w *Watcher) send(ctx context.Context, c *Channel, a alert.Alert) bool {
	ctx, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	err := w.p.Notices.Send(ctx, w.p.To, a)
	if err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		w.log.Warn("telling that a channel is in trouble failed", "channel", c.Name, "to", w.p.To, "err", err)
	}
	return err == nil
}

func (w *Watcher) episode(at place) *episode {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.episodes[at]
}

// save keeps an episode, here and in the state topic; nil: it has ended.
func (w *Watcher) save(ctx context.Context, at place, e *episode) {
	r := state.Record{Kind: state.Trouble, Channel: at.channel, Key: string(at.kind)}
	w.mu.Lock()
	if e == nil {
		delete(w.episodes, at)
	} else {
		w.episodes[at] = e
		r.Value, _ = json.Marshal(e) // of texts, a number and times of four-digit years
	}
	w.mu.Unlock()
	if err := w.p.State.Write(ctx, r); err != nil && ctx.Err() == nil {
		w.log.Warn("saving that a channel is in trouble failed", "channel", at.channel, "err", err)
	}
}

// id is the id of a notice about an episode.
func (w *Watcher) id(c *Channel, k Kind, e *episode, what string) string {
	return notice.ID(w.p.Group, "channel/"+c.Name+"/"+string(k)+"/"+what, e.Began)
}

package dlq

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/term"
)

// replayScreen shows how a run goes: a bar on a terminal, and everywhere in
// words what a person has to know while it continues.
type replayScreen struct {
	out   io.Writer
	group string
	self  string // the command as it was started
	wait  bool   // the bar counts outcomes, not requests
	began time.Time
	draws bool

	mu     sync.Mutex
	bar    *progressbar.ProgressBar
	absent bool            // it was said that no notifier is running
	said   map[string]bool // causes that were said to be new
}

var _ replay.Observer = (*replayScreen)(nil)

func newReplayScreen(g *base.Globals, group string, wait bool) *replayScreen {
	return &replayScreen{out: g.IO.Err, group: group, self: g.Self(), wait: wait, began: time.Now(), draws: term.IsTerminal(g.IO.Err), said: make(map[string]bool)}
}

const (
	// barAfter is how long a run takes before a bar is worth the screen.
	barAfter = 500 * time.Millisecond
	// newCauses is how many new causes are said one by one.
	newCauses = 10
)

// Progress implements replay.Observer.
func (s *replayScreen) Progress(a replay.Account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.draws || s.bar == nil && time.Since(s.began) < barAfter {
		return
	}
	if s.bar == nil {
		s.bar = progressbar.NewOptions(a.Planned, progressbar.OptionSetWriter(s.out), progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(false), progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth())
	}
	done, text := a.Sent+a.Superseded, "sending"
	if a.Watched {
		text = fmt.Sprintf("%d resolved, %d reopened, %d waiting", a.Resolved, a.Reopened, a.Waiting)
	}
	if s.wait {
		done -= a.Waiting
	}
	s.bar.Describe(text)
	_ = s.bar.Set(min(done, a.Planned-1)) // a full bar cannot be drawn again
}

// Again implements replay.Observer: a cause that no entry of the plan had is said
// once.
func (s *replayScreen) Again(e *dlq.Entry, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fp := e.Fingerprint()
	if known || s.said[fp] || len(s.said) > newCauses {
		return
	}
	s.said[fp] = true
	if len(s.said) > newCauses {
		s.say("there are more new causes: see '%s dlq stats'", s.self)
		return
	}
	s.say("%s failed again for a new cause (fingerprint %s): %s", e.ID, fp, because(e))
}

// Running implements replay.Observer.
func (s *replayScreen) Running(there bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !there:
		s.say("no notifier is running in group %s: what is asked for waits until one is", s.group)
	case s.absent:
		s.say("a notifier is running in group %s now", s.group)
	}
	s.absent = !there
}

// say writes a line, over the bar where there is one. s.mu is held.
func (s *replayScreen) say(format string, args ...any) {
	if s.bar != nil {
		_ = s.bar.Clear()
	}
	fmt.Fprintln(s.out, term.Visible(fmt.Sprintf(format, args...)))
}

// finish takes the bar off the screen.
func (s *replayScreen) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bar != nil {
		_ = s.bar.Clear()
	}
	s.draws = false
}

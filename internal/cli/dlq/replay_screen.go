package dlq

import (
	"fmt"
	"sync"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/term"
)

// replayScreen shows the progress of a run: a bar on a terminal, and messages.
type replayScreen struct {
	g     *base.Globals
	group string
	wait  bool // the bar counts outcomes, not requests
	bar   *term.Bar

	mu     sync.Mutex
	absent bool            // reported that no notifier is running
	causes map[string]bool // reported new causes, by fingerprint
}

var _ replay.Observer = (*replayScreen)(nil)

func newReplayScreen(g *base.Globals, group string, wait bool, planned int) *replayScreen {
	s := &replayScreen{g: g, group: group, wait: wait, bar: g.Bar("sending", "dead letters"), causes: make(map[string]bool)}
	s.bar.Expect(planned)
	return s
}

// newCauses limits the new causes that are reported one by one.
const newCauses = 10

// Progress implements replay.Observer.
func (s *replayScreen) Progress(a replay.Account) {
	done, doing := a.Sent+a.Superseded, "sending"
	if a.Watched {
		doing = fmt.Sprintf("%d resolved, %d reopened, %d waiting", a.Resolved, a.Reopened, a.Waiting)
	}
	if s.wait {
		done -= a.Waiting
	}
	s.bar.Set(min(done, a.Planned-1), doing) // at its total the bar would be final
}

// Again implements replay.Observer. It reports each new cause once; what stops the run is
// reported at its end.
func (s *replayScreen) Again(e *dlq.Entry, stops bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fp := e.Fingerprint()
	if stops || s.causes[fp] || len(s.causes) > newCauses {
		return
	}
	s.causes[fp] = true
	if len(s.causes) > newCauses {
		s.print("there are more new causes: see '%s dlq stats'", s.g.Self())
		return
	}
	s.print("%s failed again with a new cause (fingerprint %s): %s", e.ID, fp, because(e))
}

// Running implements replay.Observer.
func (s *replayScreen) Running(there bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !there:
		s.print("no notifier is running in group %s: requests wait until one starts", s.group)
	case s.absent:
		s.print("a notifier is running in group %s now", s.group)
	}
	s.absent = !there
}

// print prints a line above the bar.
func (s *replayScreen) print(format string, args ...any) {
	s.bar.Above(func() { fmt.Fprintln(s.g.IO.Err, term.Visible(fmt.Sprintf(format, args...))) })
}

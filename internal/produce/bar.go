package produce

import (
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// showAfter is how long sending takes before a bar is worth the screen.
const showAfter = time.Second

// bar is a progress bar that appears only when there is time to read it. The
// zero terminal draws nothing.
type bar struct {
	out   io.Writer
	began time.Time

	mu    sync.Mutex
	done  int
	total int // 0: unknown
	drawn *progressbar.ProgressBar
}

func newBar(out io.Writer) *bar { return &bar{out: out, began: time.Now()} }

// expect says how many records there will be.
func (b *bar) expect(total int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total = total
	if b.drawn != nil && total > 0 {
		b.drawn.ChangeMax(total)
	}
}

// add counts one record that the brokers have.
func (b *bar) add() {
	if b.out == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done++
	if b.drawn == nil {
		b.drawn = b.draw()
	}
	_ = b.drawn.Set(b.done)
}

// draw makes the bar at the first record, since it reckons its rate from there.
func (b *bar) draw() *progressbar.ProgressBar {
	total := b.total
	if total == 0 {
		total = -1 // a spinner
	}
	return progressbar.NewOptions(total,
		progressbar.OptionSetWriter(late{b}),
		progressbar.OptionSetDescription("sending"),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("events"),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetSpinnerChangeInterval(0), // else a goroutine of its own draws it, past the end
		progressbar.OptionClearOnFinish(),
	)
}

// late is the screen once there is time to read it. It is written to under the
// bar's mutex.
type late struct{ *bar }

func (l late) Write(p []byte) (int, error) {
	if time.Since(l.began) < showAfter {
		return len(p), nil
	}
	return l.out.Write(p)
}

// finish takes the bar off the screen.
func (b *bar) finish() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.drawn != nil {
		_ = b.drawn.Clear()
	}
}

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
		if time.Since(b.began) < showAfter {
			return
		}
		total := b.total
		if total == 0 {
			total = -1 // a spinner
		}
		b.drawn = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(b.out),
			progressbar.OptionSetDescription("sending"),
			progressbar.OptionShowCount(),
			progressbar.OptionShowIts(),
			progressbar.OptionSetItsString("events"),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish(),
		)
	}
	_ = b.drawn.Set(b.done)
}

// finish takes the bar off the screen.
func (b *bar) finish() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.drawn != nil {
		_ = b.drawn.Clear()
	}
}

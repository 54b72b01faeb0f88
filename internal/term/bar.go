package term

import (
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// showAfter is how long a run takes before its bar is drawn.
const showAfter = time.Second

// Bar is a progress bar. It is safe for concurrent use; a nil Bar draws nothing.
type Bar struct {
	out         io.Writer
	doing, what string
	started     time.Time

	mu    sync.Mutex
	done  int
	total int // 0: unknown
	drawn *progressbar.ProgressBar
}

// NewBar returns a bar on out; nil if out is nil. doing and what are words such as
// "sending" and "events".
func NewBar(out io.Writer, doing, what string) *Bar {
	if out == nil {
		return nil
	}
	return &Bar{out: out, doing: doing, what: what, started: time.Now()}
}

// Expect sets the total; 0: unknown.
func (b *Bar) Expect(total int) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total = total
	if b.drawn != nil && total > 0 {
		b.drawn.ChangeMax(total)
	}
}

// Add adds n to the number done.
func (b *Bar) Add(n int) {
	b.update(func() { b.done += n })
}

// Set sets the number done and the description. At the total the bar is final.
func (b *Bar) Set(done int, doing string) {
	b.update(func() { b.done, b.doing = done, doing })
}

func (b *Bar) update(change func()) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.doing
	change()
	if b.drawn == nil {
		b.drawn = b.draw()
	}
	_ = b.drawn.Set(b.done)
	if b.doing != before {
		b.drawn.Describe(b.doing)
	}
}

// draw makes the bar at the first update, from which its rate is computed.
func (b *Bar) draw() *progressbar.ProgressBar {
	total := b.total
	if total == 0 {
		total = -1 // a spinner
	}
	return progressbar.NewOptions(total,
		progressbar.OptionSetWriter(late{b}),
		progressbar.OptionSetDescription(b.doing),
		progressbar.OptionSetWidth(b.room()),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString(b.what),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetSpinnerChangeInterval(0), // else a goroutine draws it, also after the end
		progressbar.OptionClearOnFinish(),
	)
}

// room returns the columns of the bar itself, so that the line with its numbers fits the
// terminal; on a narrow one none are left.
func (b *Bar) room() int {
	const numbers = 60 // about 100 % |…| (12,345,678/12,345,678, 123456 events/s) [12m30s:12m30s]
	width, _ := Size(b.out)
	return min(max(width-numbers-len(b.doing)-len(b.what), 0), 40)
}

// late drops what is written before showAfter. The bar's mutex is held.
type late struct{ *Bar }

// Write implements io.Writer.
func (l late) Write(p []byte) (int, error) {
	if time.Since(l.started) < showAfter {
		return len(p), nil
	}
	return l.out.Write(p)
}

// Above calls print without the bar, which is drawn again below.
func (b *Bar) Above(print func()) {
	if b == nil {
		print()
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.drawn != nil {
		_ = b.drawn.Clear()
	}
	print()
}

// Finish removes the bar.
func (b *Bar) Finish() {
	b.Above(func() {})
}

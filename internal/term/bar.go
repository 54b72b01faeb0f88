package term

import (
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// showAfter is how long work takes before a bar is worth the screen.
const showAfter = time.Second

// Bar is a progress bar that appears only when there is time to read it. It is
// safe for concurrent use; nil is one that draws nothing.
type Bar struct {
	out         io.Writer
	doing, what string
	began       time.Time

	mu    sync.Mutex
	done  int
	total int // 0: unknown
	drawn *progressbar.ProgressBar
}

// NewBar returns a bar on out that says what is done to what, such as "sending"
// and "events". Without out there is none.
func NewBar(out io.Writer, doing, what string) *Bar {
	if out == nil {
		return nil
	}
	return &Bar{out: out, doing: doing, what: what, began: time.Now()}
}

// Expect says how many there will be; zero: nobody knows.
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

// Add counts n that are done.
func (b *Bar) Add(n int) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done += n
	if b.drawn == nil {
		b.drawn = b.draw()
	}
	_ = b.drawn.Set(b.done)
}

// draw makes the bar at the first that is done, since it reckons its rate from
// there.
func (b *Bar) draw() *progressbar.ProgressBar {
	total := b.total
	if total == 0 {
		total = -1 // a spinner
	}
	return progressbar.NewOptions(total,
		progressbar.OptionSetWriter(late{b}),
		progressbar.OptionSetDescription(b.doing),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString(b.what),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetSpinnerChangeInterval(0), // else a goroutine of its own draws it, past the end
		progressbar.OptionClearOnFinish(),
	)
}

// late is the screen once there is time to read it. It is written to under the
// bar's mutex.
type late struct{ *Bar }

// Write implements io.Writer.
func (l late) Write(p []byte) (int, error) {
	if time.Since(l.began) < showAfter {
		return len(p), nil
	}
	return l.out.Write(p)
}

// Above has print write lines of its own where the bar stands; the bar comes back
// below them.
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

// Finish takes the bar off the screen.
func (b *Bar) Finish() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.drawn != nil {
		_ = b.drawn.Clear()
	}
}

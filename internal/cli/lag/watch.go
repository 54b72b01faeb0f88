package lag

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/lag"
	"github.com/algotrade/notifier/internal/term"
)

// watch looks again and again until ctx ends: on a terminal a table that is
// drawn in place, elsewhere rows with their time.
func (v *view) watch(ctx context.Context) error {
	draws := term.Draws(v.g.IO.Out) && !v.g.JSON()
	s, err := v.look(ctx)
	if err != nil {
		return ending(ctx, err)
	}
	if err := v.missing(ctx, s); err != nil && len(v.named) > 0 {
		return err
	}
	if draws {
		return v.draw(ctx, s)
	}
	tick := time.NewTicker(v.f.interval)
	defer tick.Stop()
	failing := false
	for {
		if s != nil {
			failing = false
			if err := v.put(s); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if s, err = v.look(ctx); err != nil && ctx.Err() == nil && !failing {
			failing = true
			fmt.Fprintf(v.g.IO.Err, "%s  cannot look, and go on trying: %s\n", time.Now().Format(time.TimeOnly), term.Visible(v.g.Redactor.Redact(err.Error())))
		}
	}
}

// ending is no error where we were told to end.
func ending(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// put writes what one look found where it cannot be drawn again.
func (v *view) put(s *lag.Snapshot) error {
	if v.g.JSON() {
		return v.encode(s)
	}
	at := s.At.Local().Format(time.TimeOnly)
	for _, line := range v.lines(s, nil, v.g.Width()-len(at)-2) {
		if _, err := fmt.Fprintf(v.g.IO.Out, "%s  %s\n", at, line.text); err != nil {
			return err
		}
	}
	return nil
}

const (
	trendFor   = 5 * time.Minute // what a trend shows
	trendWidth = 15              // columns, of 20 s each
	// resizeEvery is how often the terminal's size is looked at.
	resizeEvery = 200 * time.Millisecond
)

// draw redraws the table in place on the terminal, until ctx ends; what was
// seen last is left behind.
func (v *view) draw(ctx context.Context, s *lag.Snapshot) error {
	w := &screen{v: v, trends: make(map[string][]waited)}
	w.take(s)
	live := term.NewLive(v.g.IO.Out)
	defer func() {
		live.Close()
		for _, line := range v.lines(w.last, w.trend, v.g.Width()) {
			fmt.Fprintln(v.g.IO.Out, line.text)
		}
	}()
	looks := make(chan struct{}, 1) // one is enough: the next look is what it asks for
	results := make(chan look)
	go func() { // ends with ctx; whoever waits for it, waits for results
		defer close(results)
		for range looks {
			s, err := v.look(ctx)
			select {
			case results <- look{s, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	defer func() {
		close(looks)
		for range results { // until it has ended
		}
	}()
	next, resized := time.NewTicker(v.f.interval), time.NewTicker(resizeEvery)
	defer next.Stop()
	defer resized.Stop()
	live.Draw(w.frame)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-next.C:
			select {
			case looks <- struct{}{}:
			default: // the last one takes its time
			}
			continue
		case r := <-results:
			w.err = r.err
			if r.err == nil {
				w.take(r.s)
			}
		case <-resized.C:
			if !live.Resized() {
				continue
			}
		}
		live.Draw(w.frame)
	}
}

// look is what one look found, or why it found nothing.
type look struct {
	s   *lag.Snapshot
	err error
}

// waited is how many records waited at a time.
type waited struct {
	at      time.Time
	waiting int64
}

// screen is what is drawn.
type screen struct {
	v      *view
	last   *lag.Snapshot
	err    error // why the last look found nothing
	trends map[string][]waited
}

// take remembers what a look found.
func (w *screen) take(s *lag.Snapshot) {
	w.last = s
	fresh := make(map[string][]waited)
	for _, r := range s.Rows() {
		if r.Topic == nil || r.Topic.Err != nil {
			continue
		}
		key := trendKey(&r)
		old := slices.DeleteFunc(w.trends[key], func(p waited) bool { return s.At.Sub(p.at) > trendFor })
		fresh[key] = append(old, waited{s.At, r.Waiting})
	}
	w.trends = fresh
}

func trendKey(r *lag.Row) string { return r.Group.Name + "\x00" + r.Topic.Name }

func (w *screen) trend(r *lag.Row) string {
	if r.Topic == nil {
		return ""
	}
	return sparkline(w.trends[trendKey(r)], w.last.At)
}

var bars = []rune(" ▁▂▃▄▅▆▇█")

// sparkline draws what waited in the last minutes, the present at its right
// end: each column the most in its twenty seconds, as part of the most in all,
// which is taken to be ten at least, so that nothing does not look like much.
func sparkline(samples []waited, now time.Time) string {
	most := int64(10)
	columns := make([]int64, trendWidth)
	for i := range columns {
		columns[i] = -1 // nothing was seen
	}
	for _, s := range samples {
		back := int(now.Sub(s.at) / (trendFor / trendWidth))
		if i := trendWidth - 1 - back; i >= 0 && i < trendWidth {
			columns[i] = max(columns[i], s.waiting)
		}
		most = max(most, s.waiting)
	}
	var b strings.Builder
	for _, n := range columns {
		switch {
		case n < 0:
			b.WriteRune(bars[0])
		default:
			b.WriteRune(bars[1+int(float64(n)/float64(most)*float64(len(bars)-2))])
		}
	}
	return b.String()
}

var colours = map[lag.Mark]term.Colour{lag.Late: term.Yellow, lag.Bad: term.Red}

// frame lays out what was seen last, below a line that says when.
func (w *screen) frame(width int) []term.Line {
	frame := []term.Line{{Text: fmt.Sprintf("%s  every %s  Ctrl-C ends", w.last.At.Local().Format(time.TimeOnly), w.v.f.interval), Colour: term.Faint}}
	if w.err != nil {
		frame = append(frame, term.Line{Text: "cannot look, and go on trying: " + term.Visible(w.err.Error()), Colour: term.Red})
	}
	for i, line := range w.v.lines(w.last, w.trend, width) {
		colour := colours[line.mark]
		if i == 0 { // the head
			colour = term.Faint
		}
		frame = append(frame, term.Line{Text: line.text, Colour: colour})
	}
	return frame
}

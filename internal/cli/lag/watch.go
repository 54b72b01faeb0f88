package lag

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/algotrade/notifier/internal/lag"
	"github.com/algotrade/notifier/internal/term"
)

// watch samples until ctx ends. On a terminal it redraws a table, else it prints rows
// with their time.
func (v *view) watch(ctx context.Context) error {
	draws := term.Draws(v.g.IO.Out) && !v.g.JSON()
	s, err := v.sample(ctx)
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
		if s, err = v.sample(ctx); err != nil && ctx.Err() == nil && !failing {
			failing = true
			fmt.Fprintf(v.g.IO.Err, "%s  failed, retrying: %s\n", time.Now().Format(time.TimeOnly), term.Visible(v.g.Redactor.Redact(err.Error())))
		}
	}
}

// ending drops the error of an interrupted run.
func ending(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// put prints a sample with its time.
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
	trendFor    = 5 * time.Minute
	trendWidth  = 15                     // columns, of 20 s each
	resizeEvery = 200 * time.Millisecond // interval of checks of the terminal's size
)

// draw redraws the table until ctx ends, and prints the last one.
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
	results := make(chan result, 1)
	sampling := false
	defer func() {
		if sampling {
			<-results // ends with ctx
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
			if !sampling {
				sampling = true
				go func() {
					s, err := v.sample(ctx)
					results <- result{s, err}
				}()
			}
			continue
		case r := <-results:
			sampling, w.err = false, r.err
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

// result is a sample or its error.
type result struct {
	s   *lag.Snapshot
	err error
}

// waited is the lag at a time.
type waited struct {
	at      time.Time
	waiting int64
}

// screen is what is drawn.
type screen struct {
	v      *view
	last   *lag.Snapshot
	err    error // of the last sample
	trends map[string][]waited
}

// take adds a sample.
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

// sparkline draws the lag of the last minutes, the latest at the right: each column is the
// maximum of its 20 s, relative to the overall maximum, at least 10.
func sparkline(samples []waited, now time.Time) string {
	most := int64(10)
	columns := make([]int64, trendWidth)
	for i := range columns {
		columns[i] = -1 // no sample
	}
	for _, s := range samples {
		back := int(now.Sub(s.at) / (trendFor / trendWidth))
		if i := trendWidth - 1 - back; i >= 0 && i < trendWidth {
			columns[i] = max(columns[i], s.waiting)
		}
		most = max(most, s.waiting)
	}
	return term.Bars(columns, most)
}

var colours = map[lag.Mark]term.Colour{lag.Late: term.Yellow, lag.Bad: term.Red}

// frame lays out the last sample below a line with its time.
func (w *screen) frame(width int) []term.Line {
	frame := []term.Line{{Text: fmt.Sprintf("%s  every %s  Ctrl-C ends", w.last.At.Local().Format("15:04:05 MST"), w.v.f.interval), Colour: term.Faint}}
	if w.err != nil {
		frame = append(frame, term.Line{Text: "failed, retrying: " + term.Visible(w.err.Error()), Colour: term.Red})
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

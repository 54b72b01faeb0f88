package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// act is a disturbance and the alerts that it has to raise.
type act struct {
	signs []sign
	// cause brings it about; meanwhile, where it is set, continues until it is
	// fixed. fix ends it.
	cause     func(context.Context, *drill) error
	meanwhile func(context.Context, *drill)
	fix       func(context.Context, *drill) error
}

// sign is an alert, and how it is caused in words.
type sign struct{ alert, how string }

func (a *act) alerts() string {
	var names []string
	for _, s := range a.signs {
		names = append(names, s.alert)
	}
	return strings.Join(names, ", ")
}

// result is what became of one alert.
type result struct {
	sign
	fired, resolved time.Duration // since its cause began, since fixing did; 0: not
	also            []string      // what else fired meanwhile
}

func chooseActs(names string) ([]*act, error) {
	all := allActs()
	if names == "" {
		return all, nil
	}
	var chosen []*act
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(all, func(a *act) bool {
			return slices.ContainsFunc(a.signs, func(s sign) bool { return s.alert == name })
		})
		if i < 0 {
			return nil, fmt.Errorf("nothing causes an alert %q", name)
		}
		if !slices.Contains(chosen, all[i]) {
			chosen = append(chosen, all[i])
		}
	}
	return chosen, nil
}

// play plays an act from its cause to rest.
func (d *drill) play(ctx context.Context, a *act) (results []*result, err error) {
	open := make(map[string]*result)
	for _, s := range a.signs {
		r := &result{sign: s}
		results, open[s.alert] = append(results, r), r
	}
	also := make(map[string]bool)
	began := time.Now()
	doing, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	if err := a.cause(ctx, d); err != nil {
		stop()
		return results, errors.Join(fmt.Errorf("cause it: %w", err), a.fix(ctx, d))
	}
	go func() {
		defer close(done)
		if a.meanwhile != nil {
			a.meanwhile(doing, d)
		}
	}()
	look := func(ctx context.Context) {
		for name := range d.prom.firing(ctx) {
			if r := open[name]; r == nil {
				also[name] = true
			} else if r.fired == 0 {
				r.fired = time.Since(began)
			}
		}
	}
	err = until(ctx, 2*time.Minute, "all of them fire", func(ctx context.Context) bool {
		look(ctx)
		return !slices.ContainsFunc(results, func(r *result) bool { return r.fired == 0 })
	})
	stop()
	<-done
	fixed := time.Now()
	if err := errors.Join(err, a.fix(ctx, d)); err != nil {
		d.tell(results, also)
		return results, err
	}
	err = until(ctx, 3*time.Minute, "all of them are resolved", func(ctx context.Context) bool {
		now := d.prom.firing(ctx)
		for _, r := range results {
			if _, on := now[r.alert]; now != nil && !on && r.resolved == 0 {
				r.resolved = time.Since(fixed)
			} else if on {
				r.resolved = 0
			}
		}
		for name := range now {
			if open[name] == nil {
				also[name] = true
			}
		}
		return !slices.ContainsFunc(results, func(r *result) bool { return r.resolved == 0 })
	})
	d.tell(results, also)
	if err != nil {
		return results, err
	}
	return results, d.calm(ctx)
}

func (d *drill) tell(results []*result, also map[string]bool) {
	for _, r := range results {
		r.also = slices.Sorted(maps.Keys(also))
		d.say("%-32s fires after %s, resolved after %s   %s", r.alert, secs(r.fired), secs(r.resolved), r.how)
	}
	if len(also) > 0 {
		d.say("    meanwhile also: %s", strings.Join(slices.Sorted(maps.Keys(also)), ", "))
	}
}

func secs(d time.Duration) string {
	if d == 0 {
		return "  never"
	}
	return fmt.Sprintf("%5.1f s", d.Seconds())
}

// drillTable is the account for the documentation.
func drillTable(w io.Writer, all []*result) {
	fmt.Fprintf(w, "| alert | how it was caused | fired after | resolved after |\n|---|---|--:|--:|\n")
	for _, r := range all {
		fmt.Fprintf(w, "| %s | %s | %s | %s |\n", r.alert, r.how, strings.TrimSpace(secs(r.fired)), strings.TrimSpace(secs(r.resolved)))
	}
}

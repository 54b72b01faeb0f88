package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// waiting is how many alerts wait in the row of the suspended channel.
const waiting = 500_000

// backlogRows let alerts wait for a channel that needs an operator.
func backlogRows() []*row {
	return []*row{{
		name: "suspended", what: fmt.Sprintf("the hook refuses our credentials until %s alerts wait; the daemon is killed then, and again while it catches up", grouped(waiting)), static: true,
		mix: mix{rate: 3000, hook: 950, both: 20, mailed: 1, poison: 1, null: 20, ahead: 4 * waiting},
		during: func(ctx context.Context, s *scene) error {
			begun := time.Now()
			s.sink.set(func(channel string) answer {
				if channel == hook {
					return answer{status: 401}
				}
				return answer{}
			})
			var memory []string
			for _, part := range []int{waiting / 10, waiting / 2, waiting} {
				if err := s.pending(ctx, part); err != nil {
					return err
				}
				memory = append(memory, fmt.Sprintf("%.0f MiB at %s", s.resident(ctx), grouped(part)))
			}
			s.quiet.Store(true)
			built := time.Now()
			delays := s.ledger.delays(desk, begun, built)
			if len(delays) == 0 {
				return errors.New("desk got nothing while hook was suspended")
			}
			s.note("%s alerts wait for hook after %s; resident memory %s", grouped(waiting), built.Sub(begun).Round(time.Second), memory)
			s.note("meanwhile desk got %s, p50 %s, p99 %s", grouped(len(delays)), ms(median(delays)), ms(delays[len(delays)*99/100]))

			if err := s.replace(ctx); err != nil {
				return err
			}
			if err := s.pending(ctx, waiting); err != nil {
				return err
			}
			s.note("started again: %.0f MiB; /readyz reports: %s", s.resident(ctx), s.causeOf(ctx, hook))

			s.sink.set(nil)
			fixed, taken := time.Now(), s.ledger.deliveries()
			if err := s.delivered(ctx, 100); err != nil { // the next slow probe
				return err
			}
			probed := time.Now()
			if err := s.delivered(ctx, waiting/4); err != nil {
				return err
			}
			rate := float64(s.ledger.deliveries()-taken) / time.Since(probed).Seconds()
			before := s.ledger.duplicates()
			if err := s.replace(ctx); err != nil {
				return err
			}
			if err := s.caughtUp(ctx, fixed); err != nil {
				return err
			}
			s.note("once the hook recovered, the first went out after %s and the last after %s; killed while it sent %.0f/s, it caused %d duplicates; resident memory then %.0f MiB",
				probed.Sub(fixed).Round(time.Second), time.Since(fixed).Round(time.Second), rate, s.ledger.duplicates()-before, s.resident(ctx))
			s.quiet.Store(false)
			return nil
		},
	}}
}

// replace kills the daemon and starts another.
func (s *scene) replace(ctx context.Context) error {
	d := s.running()[0]
	d.kill()
	s.ledger.disturb("kill -9", 100*time.Millisecond)
	s.forget(d)
	d, err := s.start(0)
	if err != nil {
		return err
	}
	return d.ready(ctx)
}

// pending waits until the daemon reports that so many alerts wait for the hook.
func (s *scene) pending(ctx context.Context, n int) error {
	lag := sample(`notifier_outbox_lag_records{channel="` + hook + `"}`)
	return s.wait(ctx, 6*time.Minute, fmt.Sprintf("%s alerts wait for hook", grouped(n)), func(ctx context.Context) bool {
		_, metrics := s.running()[0].get(ctx, "/metrics")
		return lag(metrics) >= float64(n)
	})
}

// resident is the daemon's memory in MiB.
func (s *scene) resident(ctx context.Context) float64 {
	_, metrics := s.running()[0].get(ctx, "/metrics")
	return sample("process_resident_memory_bytes")(metrics) / (1 << 20)
}

// causeOf returns the cause that /readyz reports for a channel.
func (s *scene) causeOf(ctx context.Context, channel string) string {
	_, body := s.running()[0].get(ctx, "/readyz")
	var answer struct {
		Components []struct{ Name, Cause string }
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		return err.Error()
	}
	for _, c := range answer.Components {
		if c.Name == "channel "+channel {
			return c.Cause
		}
	}
	return "nothing"
}

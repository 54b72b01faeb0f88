package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/algotrade/notifier/internal/ledger"
)

// allRows returns every row, in the order of the report.
func allRows() []*row {
	var rows []*row
	for _, list := range [][]*row{
		{calm()},
		brokerRows(), daemonRows(), networkRows(), sinkRows(), backlogRows(), topicRows(), diskRows(),
	} {
		rows = append(rows, list...)
	}
	for _, r := range rows {
		if r.mix.rate == 0 {
			r.mix = ordinary
		}
		if r.daemons == 0 {
			r.daemons = 1
		}
		if r.terms == nil {
			r.terms = func(*scene) ledger.Terms { return ledger.Terms{PerDisturbance: crashBound()} }
		}
	}
	return rows
}

// calm breaks nothing: what is true here has to be true everywhere.
func calm() *row {
	return &row{
		name: "calm", what: "nothing", replays: true, static: true, short: true,
		during: func(ctx context.Context, s *scene) error {
			if s.short {
				return pause(ctx, 2*time.Second)
			}
			return pause(ctx, 15*time.Second)
		},
	}
}

// daemonRows end daemons, freeze them, and have them come and go.
func daemonRows() []*row {
	flood := mix{rate: 5000, hook: 950, both: 10, mailed: 1, refused: 2, poison: 2, null: 35, ahead: 20_000}
	return []*row{
		{
			name: "daemon-kill", what: "the daemon, by `kill -9`, while it delivers as fast as it can: 100 times", short: true, static: true, mix: flood, replays: true,
			during: killDaemon,
		},
		{
			name: "churn", what: "three daemons, one leaves or joins each second", short: true, daemons: 3, replays: true,
			terms:  func(*scene) ledger.Terms { return ledger.Terms{Share: 0.02} },
			during: func(ctx context.Context, s *scene) error { return churn(ctx, s, seconds(s, 60, 10)) },
		},
		{
			name: "churn-restarts", what: "the same, while brokers restart one by one", daemons: 3, replays: true,
			terms:  func(*scene) ledger.Terms { return ledger.Terms{Share: 0.02} },
			during: churnWhileBrokersRestart,
		},
		{
			name: "frozen", what: "one of two daemons, frozen past its session and woken up again", short: true, daemons: 2, session: 6 * time.Second, replays: true,
			terms:  func(*scene) ledger.Terms { return ledger.Terms{PerDisturbance: crashBound(), Superfluous: true} },
			during: freeze,
		},
	}
}

func seconds(s *scene, long, short int) time.Duration {
	if s.short {
		return time.Duration(short) * time.Second
	}
	return time.Duration(long) * time.Second
}

// killDaemon kills the daemon again and again while it delivers as fast as it
// can, and measures the time until the next attempt.
func killDaemon(ctx context.Context, s *scene) error {
	times := 100
	if s.short {
		times = 8
	}
	var fromStart, fromKill []time.Duration
	var ran time.Duration // in which it could deliver
	taken := 0
	for range times {
		began, before := time.Now(), s.ledger.deliveries()
		if err := pause(ctx, time.Duration(200+s.random.IntN(1200))*time.Millisecond); err != nil {
			return err
		}
		if err := s.delivered(ctx, 100); err != nil { // it is in the middle of it
			return err
		}
		d := s.running()[0]
		killed := time.Now()
		d.kill()
		ran, taken = ran+killed.Sub(began), taken+s.ledger.deliveries()-before
		s.ledger.disturb("kill -9", 100*time.Millisecond) // the next one needs longer to begin
		s.forget(d)
		next := s.ledger.nextAttempt()
		d, err := s.start(0)
		if err != nil {
			return err
		}
		if err := s.wait(ctx, 2*time.Minute, "deliveries continue", func(context.Context) bool {
			select {
			case <-next:
				return true
			default:
				return false
			}
		}); err != nil {
			return err
		}
		fromStart = append(fromStart, s.ledger.tried().Sub(d.started))
		fromKill = append(fromKill, s.ledger.tried().Sub(killed))
	}
	slices.Sort(fromStart)
	slices.Sort(fromKill)
	met := "met"
	if median(fromKill) > time.Second {
		met = "NOT met"
	}
	s.note("%d kills at %.0f deliveries/s; from exec to the first attempt: p50 %s, p90 %s, max %s", times, float64(taken)/ran.Seconds(),
		ms(median(fromStart)), ms(fromStart[len(fromStart)*9/10]), ms(fromStart[len(fromStart)-1]))
	s.note("from kill -9 to the first attempt: p50 %s, p90 %s, max %s; p50 within 1 s: %s", ms(median(fromKill)),
		ms(fromKill[len(fromKill)*9/10]), ms(fromKill[len(fromKill)-1]), met)
	return nil
}

func median[T cmp.Ordered](v []T) T {
	sorted := slices.Sorted(slices.Values(v))
	return sorted[len(sorted)/2]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// churn has a daemon leave or join each second.
func churn(ctx context.Context, s *scene, total time.Duration) error {
	joins, leaves := 0, 0
	slot := len(s.running())
	for end := time.Now().Add(total); time.Now().Before(end); {
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
		list := s.running()
		if len(list) < 2 || len(list) < 3 && s.random.IntN(2) == 0 {
			if _, err := s.start(slot); err != nil {
				return err
			}
			slot++
			joins++
			continue
		}
		s.leave(list[s.random.IntN(len(list))])
		leaves++
	}
	s.mu.Lock()
	revoked := s.revoked
	s.mu.Unlock()
	s.note("%d joins and %d leaves; partitions were revoked %d times", joins, leaves, revoked)
	return nil
}

// freeze stops a daemon without its knowledge, for longer than its session,
// while the other takes over; then it continues where it was.
func freeze(ctx context.Context, s *scene) error {
	rounds := 4
	if s.short {
		rounds = 1
	}
	for range rounds {
		list := s.running()
		d := list[s.random.IntN(len(list))]
		if err := d.signal(syscall.SIGSTOP); err != nil {
			return err
		}
		s.ledger.disturb("frozen", 100*time.Millisecond)
		if err := pause(ctx, 10*time.Second); err != nil {
			return err
		}
		s.ledger.disturb("woken up", 0)
		if err := d.signal(syscall.SIGCONT); err != nil {
			return err
		}
		if err := pause(ctx, seconds(s, 5, 1)); err != nil {
			return err
		}
	}
	return nil
}

package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/algotrade/notifier/internal/ledger"
)

// sinkRows have the receivers misbehave: webhooks, then mail.
func sinkRows() []*row {
	exhausts := func(*scene) ledger.Terms {
		return ledger.Terms{PerDisturbance: crashBound(), Reasons: []string{"exhausted"}}
	}
	ambiguous := func(*scene) ledger.Terms {
		return ledger.Terms{PerDisturbance: crashBound(), Reasons: []string{"exhausted"}, Marked: true, Superfluous: true}
	}
	return []*row{
		{
			name: "sink-429", what: "the hook answers 429 with `Retry-After: 2` to everything for 10 s, then to a third", static: true, replays: true,
			during: moody(10*time.Second, 10*time.Second, func() answer { return answer{status: 429, retryAfter: 2} }),
		},
		{
			name: "sink-500", what: "the hook answers 500 to everything for 10 s, then to a third", static: true, replays: true, short: true, terms: exhausts,
			during: moody(10*time.Second, 10*time.Second, func() answer { return answer{status: 500} }),
		},
		{
			name: "sink-hang", what: "the hook takes everything and never answers for 10 s, then a third", static: true, replays: true, timeout: 2 * time.Second, terms: ambiguous,
			during: moody(10*time.Second, 10*time.Second, func() answer { return answer{hang: true, taken: true} }),
		},
		{
			name: "sink-reset", what: "the hook takes everything and resets the connection instead of an answer for 10 s, then a third", static: true, replays: true, terms: ambiguous,
			during: moody(10*time.Second, 10*time.Second, func() answer { return answer{reset: true, taken: true} }),
		},
		{
			name: "mail-cut", what: "the mail server's connection breaks in the middle of DATA, each time for 10 s", static: true, short: true,
			mix: withMail(),
			terms: func(*scene) ledger.Terms {
				return ledger.Terms{PerDisturbance: crashBound(), Reasons: []string{"exhausted"}, Marked: true}
			},
			during: func(ctx context.Context, s *scene) error {
				// Greeting, EHLO, STARTTLS, handshake and envelope take less.
				return s.poisonous(ctx, []*proxy{s.post.proxy}, seconds(s, 10, 4), toxic{"limit_data", upstream, map[string]int{"bytes": 3500}})
			},
		},
		{
			name: "mail-unanswered", what: "mails arrive and the answer to DATA does not: the connection breaks before it, for 10 s", static: true,
			mix: withMail(),
			terms: func(*scene) ledger.Terms {
				return ledger.Terms{PerDisturbance: crashBound(), Reasons: []string{"exhausted"}, Marked: true}
			},
			during: func(ctx context.Context, s *scene) error {
				// Behind the 354 that asks for the mail, before the end of the last answer.
				return s.poisonous(ctx, []*proxy{s.post.proxy}, seconds(s, 10, 4), toxic{"limit_data", downstream, map[string]int{"bytes": 2310}})
			},
		},
		{
			name: "mail-down", what: "the mail server refuses connections for 10 s", static: true, mix: withMail(),
			// The connections that are open break, one of them perhaps before the last answer.
			terms:  func(*scene) ledger.Terms { return ledger.Terms{PerDisturbance: crashBound(), Marked: true} },
			during: func(ctx context.Context, s *scene) error { return s.cut(ctx, []*proxy{s.post.proxy}, 10*time.Second) },
		},
	}
}

// withMail is a load with more mail in it.
func withMail() mix {
	m := ordinary
	m.rate, m.hook, m.mailed = 200, 200, 100
	return m
}

// moody has the hook misbehave always, then one time in three; desk and the
// rest are as ever.
func moody(always, sometimes time.Duration, bad func() answer) func(context.Context, *scene) error {
	return func(ctx context.Context, s *scene) error {
		if s.short {
			always, sometimes = 3*time.Second, 3*time.Second
		}
		s.sink.set(func(channel string) answer {
			if channel == hook {
				return bad()
			}
			return answer{}
		})
		if err := pause(ctx, always); err != nil {
			return err
		}
		var mu sync.Mutex
		random := rand.New(rand.NewPCG(s.seed, 3))
		s.sink.set(func(channel string) answer {
			mu.Lock()
			defer mu.Unlock()
			if channel == hook && random.IntN(3) == 0 {
				return bad()
			}
			return answer{}
		})
		err := pause(ctx, sometimes)
		s.sink.set(nil)
		return err
	}
}

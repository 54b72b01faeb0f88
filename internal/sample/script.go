package sample

import "time"

// scenesPerSecond is the average rate of scene events.
const scenesPerSecond = 1.2

// writeMinute adds the scenes of the next minute.
func (s *Story) writeMinute() {
	if s.minutes == 0 {
		s.opening(s)
	} else {
		s.laterMinute(time.Duration(s.minutes) * time.Minute)
	}
	s.minutes++
}

func at(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

// firstMinute is the same for every seed. Every default rule matches, there is an
// alert about every two seconds, and three records are poison.
func (s *Story) firstMinute() {
	named := func(account, strategy, symbol string) trader { return trader{account, strategy, instrumentOf(symbol)} }

	s.reject(at(1.5), named("ACC-1016", "mean-rev-7", "NVDA"), "buy", 400, refusals[0])
	s.large(at(4), named("ACC-1015", "momentum-3", "AAPL"), "buy", 2.3)
	s.drawdown(at(6.5), "ACC-1007", 0.081, at(14))

	// The opening bell: seconds 9 to 13.
	s.slip(at(9.4), named("ACC-1015", "breakout-5", "TSLA"), 14)
	s.large(at(11.2), named("ACC-1023", "trend-11", "MSFT"), "sell", 3.1)
	s.addPoison(at(12.5), corruptions[0])
	s.outage(at(14), named("ACC-1042", "mean-rev-7", "JPM"), named("ACC-1011", "pairs-12", "XOM"), named("ACC-1029", "vwap-9", "CAT"))
	s.concentrate(at(18.8), "ACC-1023", 0.23)
	s.addForwardTest(at(22), newForward(2288).measured(s.script, "forward_test.completed", "completed", 1, 0.93, -0.4))

	s.badDay(at(24), "ACC-1031", at(4.5))
	s.slip(at(26.2), named("ACC-1038", "stat-arb-4", "AMD"), 9)
	s.addPoison(at(27.5), corruptions[1])
	s.addForwardTest(at(31), newForward(2294).measured(s.script, "forward_test.metrics", "running", 0.58, 0.39, -2.7))
	s.deny(at(35), named("ACC-1015", "gap-fade-1", "META"), "sell_short", 1200, denials[0])
	s.quiet(at(36))
	s.large(at(39.2), named("ACC-1034", "carry-2", "SPY"), "sell", 1.4)
	s.bust(at(41), named("ACC-1011", "pairs-12", "GOOG"))

	s.addForwardTest(at(43), newForward(2290).failed("DATA_FEED_LOST", "no bars from the feed for 15 minutes"))
	s.slip(at(45), named("ACC-1042", "vwap-9", "QQQ"), 21)
	s.addPoison(at(47), corruptions[2])
	s.large(at(48.6), named("ACC-1038", "vol-target-6", "NVDA"), "buy", 1.1)
	s.drawdown(at(50.8), "ACC-1018", 0.054, at(16))
	s.risk(at(52.6), "ACC-1023", limit{"single_name_concentration", "0.15", "0.23", "ratio"})
	s.squeeze(at(54.4), "ACC-1036", 0.93)
	s.reject(at(56), named("ACC-1029", "trend-11", "AMD"), "buy", 700, refusals[2])
	s.addForwardTest(at(57.8), newForward(2279).measured(s.script, "forward_test.completed", "completed", 1, 0.88, -0.9))
	s.large(at(59.2), named("ACC-1034", "momentum-3", "AMZN"), "buy", 1.9)
}

// laterMinute adds about as many alerts as firstMinute, with order and accounts drawn
// from the seed.
func (s *Story) laterMinute(begin time.Duration) {
	r := s.script
	scenes := []func(time.Duration){
		func(at time.Duration) {
			s.reject(at, s.nextTrader(), "buy", int64(intBetween(r, 1, 20))*100, pick(r, refusals))
		},
		func(at time.Duration) {
			s.deny(at, s.nextTrader(), "sell", int64(intBetween(r, 5, 40))*100, pick(r, denials))
		},
		func(at time.Duration) { s.large(at, s.nextTrader(), "buy", between(r, 1.1, 4)) },
		func(at time.Duration) { s.large(at, s.nextTrader(), "sell", between(r, 1.1, 4)) },
		func(at time.Duration) { s.large(at, s.nextTrader(), "buy", between(r, 1.1, 2)) },
		func(at time.Duration) { s.slip(at, s.nextTrader(), between(r, 8, 40)) },
		func(at time.Duration) { s.slip(at, s.nextTrader(), between(r, 8, 20)) },
		func(at time.Duration) {
			s.drawdown(at, s.nextTrader().account, between(r, 0.052, 0.12), 18*time.Second)
		},
		func(at time.Duration) { s.concentrate(at, s.nextTrader().account, between(r, 0.16, 0.3)) },
		func(at time.Duration) {
			s.addForwardTest(at, s.nextTest().measured(r, "forward_test.completed", "completed", 1, between(r, 0.7, 1.2), -0.5))
		},
		func(at time.Duration) {
			s.addForwardTest(at, s.nextTest().measured(r, "forward_test.metrics", "running", 0.6, 0.4, between(r, -4, -2.6)))
		},
		func(at time.Duration) { s.addPoison(at, corruptions[(s.minutes+2)%len(corruptions)]) },
		s.quiet,
	}
	if s.minutes%2 == 0 {
		scenes = append(scenes,
			func(at time.Duration) { s.badDay(at, s.nextTrader().account, 4*time.Second) },
			func(at time.Duration) { s.bust(at, s.nextTrader()) },
		)
	} else {
		scenes = append(scenes,
			func(at time.Duration) { s.outage(at, s.nextTrader(), s.nextTrader(), s.nextTrader()) },
			func(at time.Duration) { s.squeeze(at, s.nextTrader().account, between(r, 0.9, 0.99)) },
			func(at time.Duration) {
				s.addForwardTest(at, s.nextTest().failed("STRATEGY_ERROR", "division by zero in on_bar"))
			},
			func(at time.Duration) {
				s.risk(at, s.nextTrader().account, limit{"gross_exposure", "1500000", "1612200", "USD"})
			},
		)
	}
	r.Shuffle(len(scenes), func(i, j int) { scenes[i], scenes[j] = scenes[j], scenes[i] })
	gap := time.Minute / time.Duration(len(scenes)+1)
	for i, scene := range scenes {
		// Scenes add events up to four seconds before their time.
		scene(begin + 4*time.Second + time.Duration(i)*(gap-200*time.Millisecond))
	}
}

// storm: after three seconds a venue halts and rejects 4,800 orders of 212 accounts
// within six seconds. Meanwhile two accounts come close to a margin call.
func (s *Story) storm() {
	const orders, accounts = 4800, 212
	traders := make([]trader, accounts)
	for i := range traders {
		traders[i] = s.nextTrader()
		traders[i].instrument = instrumentOf("NVDA")
		traders[i].instrument.symbol = pick(s.script, []string{"NVDA", "AAPL", "MSFT", "TSLA", "AMZN", "AMD"})
	}
	for i := range orders {
		// The square concentrates them at the beginning.
		share := float64(i) / orders
		o := s.newOrder(0, traders[i%accounts], "buy", int64(intBetween(s.script, 1, 9))*100)
		s.addExecution(at(3+6*share*share), o.rejected("VENUE_HALTED", "XNAS has halted trading"))
	}
	s.squeeze(at(7), "ACC-1007", 0.94)
	s.squeeze(at(21), "ACC-1012", 0.97)
}

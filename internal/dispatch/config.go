package dispatch

import "time"

type Config struct {
	Concurrency int
	Pace        Pace
	Retry       Retry
	Breaker     Breaker
	Timeout     time.Duration
	Ambiguous   string
	Partitions  int
}
type Pace struct {
	Rate  float64
	Burst int
}
type Retry struct {
	Initial, Max time.Duration
	Factor       float64
	Attempts     int
}
type Breaker struct {
	Failures int
	Open     time.Duration
}

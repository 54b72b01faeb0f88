package dispatch

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/digest"
	"github.com/algotrade/notifier/internal/duration"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Config is what every channel has, whatever its kind.
type Config struct {
	// Concurrency is how many attempts may be under way at once.
	Concurrency int `yaml:"concurrency" range:"1..1024"`
	// Pace bounds how many attempts are begun in a time; without a rate there
	// is no bound. It is exact across all instances, because a paced channel has
	// a single owner.
	Pace Pace `yaml:"pace"`
	// Retry is the wait between attempts, and when a delivery is given up.
	Retry Retry `yaml:"retry"`
	// Breaker stops attempts while all fail.
	Breaker Breaker `yaml:"breaker"`
	// Timeout bounds one attempt.
	Timeout time.Duration `yaml:"timeout" range:"100ms..10m"`
	// Ambiguous is what happens to a delivery whose attempt may have succeeded:
	// resend (twice is better than never) or dead-letter.
	Ambiguous string `yaml:"ambiguous" oneof:"resend,dead-letter"`
	// Digest says whether alerts of a group that come soon after each other are told
	// together. It needs one owner of all the channel's alerts, as a pace does.
	Digest digest.Setting `yaml:"digest"`
	// Fallback is the channel that gets what waits while this one cannot send.
	Fallback Fallback `yaml:"fallback"`
	// Partitions is how many partitions the channel's outbox topic is made
	// with. With a rate limit or digests one instance owns them all; it is at most one
	// for each severity then, which is the default.
	Partitions int `yaml:"partitions" range:"1..64"`
}

// SingleOwner reports whether one instance owns the channel's whole outbox, so that
// what is counted per channel is exact across all instances.
func (c *Config) SingleOwner() bool { return c.Pace.Rate > 0 || c.Digest.On }

// The policies for ambiguous outcomes.
const (
	Resend     = "resend"
	DeadLetter = "dead-letter"
)

// Pace is a rate of attempts.
type Pace struct {
	// Rate of attempts; default: that of the kind or preset, else none.
	Rate  Rate `yaml:"rate"`
	Burst int  `yaml:"burst" range:"1..1000"` // Burst is how many attempts may be begun at once.
}

// Rate is a number of attempts a second; in files it is written 1/s, 30/m or
// 100/h.
type Rate float64

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Rate) UnmarshalText(text []byte) error {
	count, per, ok := strings.Cut(string(text), "/")
	n, err := strconv.ParseFloat(strings.TrimSpace(count), 64)
	units := map[string]float64{"s": 1, "m": 60, "h": 3600}
	seconds := units[strings.TrimSpace(per)]
	if !ok || err != nil || seconds == 0 || !(n > 0) || n > 1e6 {
		return fmt.Errorf("%q is not a rate: write it as 1/s, 30/m or 100/h", text)
	}
	*r = Rate(n / seconds)
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (r Rate) MarshalText() ([]byte, error) {
	switch {
	case r == 0:
		return nil, nil
	case r >= 1:
		return fmt.Appendf(nil, "%v/s", float64(r)), nil
	case r >= 1.0/60:
		return fmt.Appendf(nil, "%.4g/m", float64(r)*60), nil
	}
	return fmt.Appendf(nil, "%.4g/h", float64(r)*3600), nil
}

// Retry is the backoff between attempts: uniform in [250 ms, d], where d is
// Initial × Factorⁿ, at most Max.
type Retry struct {
	// Initial is the first wait, which grows by factor.
	Initial time.Duration `yaml:"initial" range:"1ms..1h"`
	// Factor by which each wait is longer than the one before it.
	Factor float64 `yaml:"factor" range:"1..10"`
	// Max is the longest wait.
	Max time.Duration `yaml:"max" range:"1ms..24h"`
	// Attempts is after how many a delivery is given up, if others succeeded
	// meanwhile; while nothing succeeds it waits for as long as it takes.
	Attempts int `yaml:"attempts" range:"1..1000"`
}

// Breaker opens after Failures failures in a row and lets one delivery through
// after Open.
type Breaker struct {
	// Failures in a row after which the circuit opens.
	Failures int `yaml:"failures" range:"1..1000"`
	// Open is after how long one delivery is tried.
	Open time.Duration `yaml:"open" range:"10ms..1h"`
}

// DefaultRetry and DefaultBreaker hold for channels that say nothing else.
func DefaultRetry() Retry {
	return Retry{Initial: 500 * time.Millisecond, Factor: 2, Max: 30 * time.Second, Attempts: 6}
}

// DefaultBreaker is the breaker of channels that say nothing else.
func DefaultBreaker() Breaker { return Breaker{Failures: 5, Open: time.Second} }

// CheckYAML implements yamldoc.Checker.
func (r *Retry) CheckYAML(at yamldoc.Cursor) {
	if r.Max < r.Initial {
		at.Field("max").Fault("%s is shorter than initial (%s)", duration.Text(r.Max), duration.Text(r.Initial))
	}
}

// CheckYAML implements yamldoc.Checker.
func (p *Pace) CheckYAML(at yamldoc.Cursor) {
	if p.Burst > 0 && p.Rate == 0 {
		at.Fault("a burst needs a rate, such as rate: 1/s")
	}
}

// CheckYAML implements yamldoc.Checker. It sets the number of partitions of a channel
// with a single owner.
func (c *Config) CheckYAML(at yamldoc.Cursor) {
	if c.SingleOwner() {
		switch most := len(alert.Severities()); {
		case !at.Has("partitions"):
			c.Partitions = most
		case c.Partitions > most:
			at.Field("partitions").Fault("a channel with a rate limit or digests has at most %d partitions, one for each severity: one instance owns them all", most)
		}
	}
	if c.Breaker.Failures >= c.Retry.Attempts {
		at.Fault("breaker.failures (%d) must be smaller than retry.attempts (%d): else one bad delivery is given up before the breaker can tell an outage",
			c.Breaker.Failures, c.Retry.Attempts)
	}
}

package doctor

import (
	"context"
	"time"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/topics"
)

// tolerated is how far ahead a record may be: producers' clocks differ slightly.
const tolerated = 5 * time.Second

// checkClock compares this host's clock with the kernel's synchronisation state, the brokers' time and the
// newest records of the sources.
func (d *doctor) checkClock(ctx context.Context) []check.Result {
	found := []check.Result{synchronised()}
	adm, skipped := d.admin("newest events")
	if skipped != nil {
		return append(found, skipped...)
	}
	found = append(found, d.brokersClock(ctx))
	ahead, newest := time.Duration(0), ""
	seen := false
	for _, name := range topics.All() {
		listed, err := adm.ListMaxTimestampOffsets(ctx, string(name))
		if err != nil {
			continue
		}
		for _, o := range listed[string(name)] {
			if o.Err != nil || o.Timestamp <= 0 {
				continue
			}
			seen = true
			if by := time.Until(time.UnixMilli(o.Timestamp)); by > ahead {
				ahead, newest = by, string(name)
			}
		}
	}
	switch {
	case !seen:
		found = append(found, check.Skipf("newest events", "no events to compare"))
	case ahead > tolerated:
		found = append(found, check.Warnf("newest events", "synchronise both clocks: ages of events, throttles and expiry depend on them",
			"an event of %s is %s ahead of this host's clock: this clock is behind, or its producer's ahead", newest, channel.Duration(ahead)))
	default:
		found = append(found, check.Okf("newest events", "none is ahead of this host's clock"))
	}
	return found
}

// brokersClock compares this host's clock with the brokers'.
func (d *doctor) brokersClock(ctx context.Context) check.Result {
	const subject = "brokers' clock"
	cl, err := d.cluster.reach()
	if err != nil {
		return check.Skipf(subject, "%v", err)
	}
	ahead, err := kafka.ClockOffset(ctx, cl)
	switch {
	case kafka.IsDenied(err):
		return check.Skipf(subject, "the brokers' time is unknown (needs DESCRIBE on the cluster): %v", err)
	case err != nil:
		return check.Skipf(subject, "the brokers' time is unknown: %v", err)
	}
	if text := kafka.ClockText(ahead); text != "" {
		return check.Warnf(subject, "synchronise both clocks (chrony, systemd-timesyncd)", "%s", text)
	}
	return check.Okf(subject, "%d ms apart", max(ahead, -ahead).Milliseconds())
}

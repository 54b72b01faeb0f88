package doctor

import (
	"context"
	"time"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/topics"
)

// tolerated is how far ahead a record may be: producers' clocks differ a little,
// and records come while we look.
const tolerated = 5 * time.Second

// lookAtClock looks at what there is to compare this host's clock with: what the
// kernel knows, the time of the brokers' quorum, the newest records of the sources, whose time is their
// producers', and Slack's answers, which its channel says itself.
func (d *doctor) lookAtClock(ctx context.Context) []check.Result {
	found := []check.Result{synchronised()}
	adm, none := d.admin("newest events")
	if none != nil {
		return append(found, none...)
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
		found = append(found, check.Skipf("newest events", "there are none to compare with"))
	case ahead > tolerated:
		found = append(found, check.Warnf("newest events", "compare both clocks: ages of events, throttles and expiry depend on them",
			"an event of %s is %s ahead of this host's clock: this clock is behind, or its producer's ahead", newest, channel.Duration(ahead)))
	default:
		found = append(found, check.Okf("newest events", "none is ahead of this host's clock"))
	}
	return found
}

// brokersClock compares this host's clock with the brokers', where they say what
// it is.
func (d *doctor) brokersClock(ctx context.Context) check.Result {
	const subject = "brokers' clock"
	cl, err := d.cluster.reach()
	if err != nil {
		return check.Skipf(subject, "%v", err)
	}
	ahead, err := kafka.ClockOffset(ctx, cl)
	if err != nil {
		return check.Skipf(subject, "the brokers do not say their time to us, which takes DESCRIBE on the cluster: %v", err)
	}
	if text := kafka.ClockText(ahead); text != "" {
		return check.Warnf(subject, "have both clocks kept (chrony, systemd-timesyncd)", "%s", text)
	}
	return check.Okf(subject, "%d ms apart", max(ahead, -ahead).Milliseconds())
}

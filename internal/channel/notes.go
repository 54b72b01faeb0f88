package channel

import (
	"fmt"
	"time"
)

// Delay says how long after its event the message is sent: "3 ms after the
// event", or "4 m 10 s late" from LateAfter on. It is empty when the alert has
// no event time, and for a test, which has no event.
func (m Message) Delay() string {
	if m.Alert.EventTime.IsZero() || m.Test {
		return ""
	}
	d, late := m.Late()
	switch {
	case late:
		return Duration(d) + " late"
	case d < 0:
		return Duration(-d) + " before the event"
	}
	return Duration(d) + " after the event"
}

// Again says that this is a dead letter that is sent again, and for which time:
// "replay", "replay 2". It is empty for other messages.
func (m Message) Again() string {
	switch m.Replay {
	case 0:
		return ""
	case 1:
		return "replay"
	}
	return fmt.Sprintf("replay %d", m.Replay)
}

// Trial says that a person tries the channel; it is empty for other messages.
func (m Message) Trial() string {
	if m.Test {
		return "a test"
	}
	return ""
}

// At writes when the event was, in zone: 14:31:05, with the day when that is
// not today's. It is empty when the alert has no event time.
func (m Message) At(zone *time.Location) string {
	at := m.Alert.EventTime.In(zone)
	switch {
	case m.Alert.EventTime.IsZero():
		return ""
	case at.Format(time.DateOnly) == m.Now.In(zone).Format(time.DateOnly):
		return at.Format(time.TimeOnly)
	}
	return at.Format("2 Jan 15:04:05")
}

// Gap says how many alerts were throttled since the last message and from
// when on, in zone: "+14 since 09:31", with the day when that is not today.
// It is empty when there were none.
func (m Message) Gap(zone *time.Location) string {
	if m.Suppressed == 0 {
		return ""
	}
	if m.SuppressedSince.IsZero() {
		return fmt.Sprintf("+%d", m.Suppressed)
	}
	since, layout := m.SuppressedSince.In(zone), "15:04"
	if since.Format(time.DateOnly) != m.Now.In(zone).Format(time.DateOnly) {
		layout = "2 Jan 15:04"
	}
	return fmt.Sprintf("+%d since %s", m.Suppressed, since.Format(layout))
}

// Duration writes d for people, with its two largest units: 3 ms, 1.5 s,
// 4 m 10 s, 2 h 5 m, 3 d 4 h.
func Duration(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d m %d s", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%d h %d m", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d d %d h", d/day, d%day/time.Hour)
}

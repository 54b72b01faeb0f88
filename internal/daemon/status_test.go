package daemon

import (
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/lag"
	"github.com/algotrade/notifier/internal/obs/admin"
)

// TestComponentNamesMovesOfChannel, however many are in force.
func TestComponentNamesMovesOfChannel(t *testing.T) {
	move := func(to, by string) dispatch.Moving { return dispatch.Moving{To: to, By: by} }
	for want, moves := range map[string][]dispatch.Moving{
		"": nil,
		"waiting alerts move to mail, requested by ann@host":              {move("mail", "ann@host")},
		"waiting alerts move to mail":                                     {move("mail", "")},
		"waiting alerts move to mail, requested by ann@host (and 1 more)": {move("mail", "ann@host"), move("pager", "bob")},
		"waiting alerts move to mail, requested by ann@host (and 2 more)": {move("mail", "ann@host"), move("pager", "bob"), move("hook", "")},
	} {
		c := channelComponent(dispatch.Status{Name: "desk", State: "healthy", Moving: moves}, &lag.Backlog{}, time.Now())
		if c.Cause != want || len(c.Moving) != len(moves) || !c.OK {
			t.Errorf("%q, %v, want %q", c.Cause, c.Moving, want)
		}
	}
	until := time.Now().Add(time.Hour)
	waiting := channelComponent(dispatch.Status{Name: "desk", State: "waiting", Reason: "rate-limited: 429", Until: until}, &lag.Backlog{}, time.Now())
	if waiting.OK || waiting.State != "waiting" || waiting.Until == nil || !waiting.Until.Equal(until) {
		t.Errorf("%+v", waiting)
	}
	c := channelComponent(dispatch.Status{Name: "desk", State: "suspended", Reason: "token_revoked", Moving: []dispatch.Moving{move("mail", "ann")}}, &lag.Backlog{}, time.Now())
	if c.Cause != "token_revoked — waiting alerts move to mail, requested by ann" {
		t.Errorf("%q", c.Cause)
	}
}

func TestBacklogOmitsThrottledAlerts(t *testing.T) {
	backlog := lag.Backlog{Waiting: 1200, Oldest: time.Now().Add(-time.Hour)}
	for want, s := range map[string]dispatch.Status{
		"500 wait, the oldest for 1 h 0 m, 8 m 20 s to send at its rate": {State: "healthy", Pending: 1000, Throttled: 700, Rate: 1},
		"1,200 wait, the oldest for 1 h 0 m":                             {State: "healthy", Pending: 1000},
		"503 — 1,200 wait, the oldest for 1 h 0 m":                       {State: "circuit_open", Reason: "503", Rate: 100},
		"": {State: "healthy", Pending: 1200, Throttled: 1300, Rate: 1},
	} {
		s.Name = "desk"
		if c := channelComponent(s, &backlog, time.Now()); c.Cause != want || c.Waiting != max(0, int64(1200-s.Throttled)) {
			t.Errorf("%d wait, %q, want %q", c.Waiting, c.Cause, want)
		}
	}
	if backlog.Waiting != 1200 {
		t.Error("the backlog itself is changed")
	}
}

// TestLateChannelIsShownInRed: a storm that takes a channel 18 minutes to send was ready, in
// green.
func TestLateChannelIsShownInRed(t *testing.T) {
	now := time.Date(2026, 11, 30, 14, 49, 2, 0, time.UTC)
	late := dispatch.Status{Name: "desk", State: "healthy", Owned: true, Gathers: true, Rate: 1, Oldest: now.Add(-18 * time.Minute)}
	c := channelComponent(late, &lag.Backlog{Waiting: 1080, Oldest: late.Oldest}, now)
	if want := "behind since 30 Nov 14:36 UTC — 1,080 wait, the oldest for 18 m 0 s, 18 m 0 s to send at its rate"; c.OK || c.State != "behind" || c.Cause != want {
		t.Errorf("%+v\nwant %q", c, want)
	}
	if want := "it sends slower than alerts come: wait, have fewer alerts sent to it, or move what waits: notifier channels move desk CHANNEL"; c.Remedy != want || c.Since == nil {
		t.Errorf("%q, want %q", c.Remedy, want)
	}
	late.Oldest = now.Add(-4 * time.Minute)
	if c := channelComponent(late, &lag.Backlog{Waiting: 240, Oldest: now.Add(-6 * time.Minute)}, now); !c.OK || c.State != "healthy" || c.Remedy != "" {
		t.Errorf("what gathers is late: %+v", c)
	}
	suspended := dispatch.Status{Name: "desk", State: "suspended", Reason: "invalid_auth", Since: now.Add(-time.Hour), Remedy: "create a new token", Fallback: "mail"}
	c = channelComponent(suspended, &lag.Backlog{}, now)
	if c.Cause != "invalid_auth since 30 Nov 13:49 UTC — alerts go to mail meanwhile" || c.Remedy != "create a new token; or move what waits: notifier channels move desk CHANNEL" {
		t.Errorf("%+v", c)
	}
	atRisk := lag.Backlog{Waiting: 1, Oldest: now.Add(-23 * time.Hour), KeptUntil: now.Add(time.Hour), Retention: 24 * time.Hour}
	if c := channelComponent(dispatch.Status{Name: "desk", State: "healthy"}, &atRisk, now); c.OK || c.Remedy == "" {
		t.Errorf("near retention: %+v", c)
	}
}

func TestStatusLineSummarisesComponents(t *testing.T) {
	ok := func(name string, decides bool) admin.Component {
		return admin.Component{Name: name, OK: true, Decides: decides}
	}
	bad := func(c admin.Component, state, cause string) admin.Component {
		c.OK, c.State, c.Cause = false, state, cause
		return c
	}
	groups, blocked, desk, mail := ok("groups", true), ok("blocked", false), ok("channel desk", false), ok("channel mail", false)
	for want, components := range map[string][]admin.Component{
		"ready: 18 partitions, 2 channels":                                                 {groups, blocked, desk, mail},
		"ready: 18 partitions, 2 channels, desk suspended, mail recovering":                {groups, blocked, bad(desk, "suspended", "invalid_auth"), bad(mail, "recovering", "timeout")},
		"ready: 18 partitions, 2 channels, desk with a suspended rule":                     {groups, blocked, bad(desk, "healthy", "rule r is suspended"), mail},
		"ready: 18 partitions, 1 channel, blocked: trade-executions/3 waits for an outbox": {groups, bad(blocked, "", "trade-executions/3 waits for an outbox"), desk},
		"not ready: groups: ingest: has not joined yet":                                    {bad(groups, "", "ingest: has not joined yet"), blocked, bad(desk, "suspended", "")},
	} {
		if got := statusLine(18, components); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

package dlq

import (
	"time"

	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/outcome"
)

// Failure is why and when something failed.
type Failure struct {
	Cause      outcome.Cause
	Reason     outcome.Reason // "": the cause's
	Detail     string
	Rule       string // that a record failed in; "": none
	Attempts   int
	First      time.Time
	Recipients []string // that refused it, or had not taken it
	Delivered  []string // that have it
}

// Failed returns the entry of an envelope that failed: a new one, or after a replay its
// next version, which is quarantined after maxReplays replays. One that crashes the
// process is quarantined at once.
func Failed(id string, env *envelope.Envelope, f Failure, maxReplays int) *Entry {
	class := f.Cause.Class()
	e := &Entry{
		ID: id, Envelope: env, Reason: f.Reason, Scope: class.Scope, Cause: f.Cause, Detail: f.Detail,
		Attempts: max(1, f.Attempts), FirstFailed: f.First, LastFailed: time.Now(), Recipients: f.Recipients, Delivered: f.Delivered,
		State: Open, FailedRule: f.Rule,
	}
	if e.Reason == "" {
		e.Reason = class.Reason
	}
	if f.Cause == outcome.Crashes {
		e.State = Quarantined
	}
	if env.Resolves() {
		e.Replays, e.EditedBy, e.FirstFailed = env.Replay.Number, env.Replay.EditedBy, env.Replay.FirstFailed
		if e.Replays >= maxReplays {
			e.State = Quarantined
		}
	}
	return e
}

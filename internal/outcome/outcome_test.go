package outcome_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/algotrade/notifier/internal/outcome"
)

func TestClassifyWaitsWhereItKnowsNothing(t *testing.T) {
	known := outcome.Errorf(outcome.Greylisted, "try later")
	for _, c := range []struct {
		err  error
		want outcome.Cause
	}{
		{known, outcome.Greylisted},
		{fmt.Errorf("send: %w", known), outcome.Greylisted},
		{context.Canceled, outcome.Abandoned},
		{fmt.Errorf("send: %w", context.Canceled), outcome.Abandoned},
		{errors.New("anything"), outcome.Unknown},
		{context.DeadlineExceeded, outcome.Unknown},
	} {
		if got := outcome.Classify(c.err).Cause; got != c.want {
			t.Errorf("%v is %s, want %s", c.err, got, c.want)
		}
	}
	for _, cause := range []outcome.Cause{outcome.Unknown, "never heard of"} {
		if class := cause.Class(); class.Scope != outcome.Channel || class.Permanence != outcome.Transient {
			t.Errorf("%s is %+v: the safe mistake is to wait", cause, class)
		}
	}
}

func TestAnUnclassifiedErrorShowsItsTypeOnly(t *testing.T) {
	if got := outcome.Classify(errors.New("token=secret")).Error(); got != "unknown: *errors.errorString" {
		t.Errorf("got %s", got)
	}
}

func TestEveryClassHasAReasonOfTheClosedList(t *testing.T) {
	for _, cause := range []outcome.Cause{
		outcome.Truncated, outcome.TrailingBytes, outcome.NotJSON, outcome.NotUTF8, outcome.NotAnObject, outcome.TooDeep, outcome.EventTooLarge, outcome.BatchTooLarge,
		outcome.NeedsRegistry, outcome.Pickle, outcome.Decompress, outcome.CloudEvent, outcome.RulePanicked, outcome.AlertTooLarge,
		outcome.PayloadRefused, outcome.PayloadTooLarge, outcome.RenderPanicked, outcome.RecipientRefused, outcome.MailboxFull, outcome.Greylisted,
		outcome.RateLimited, outcome.Unavailable, outcome.Unreachable, outcome.TLSFailed, outcome.Credentials, outcome.Destination,
		outcome.Misconfigured, outcome.Timeout, outcome.Reset, outcome.MaybeProcessed, outcome.Abandoned, outcome.WriteFailed, outcome.Unrouted,
	} {
		class := cause.Class()
		if class == outcome.Unknown.Class() && cause != outcome.Abandoned && cause != outcome.Unavailable && cause != outcome.Unreachable {
			t.Errorf("%s is in no table", cause)
		}
		if !slices.Contains(outcome.Reasons(), class.Reason) {
			t.Errorf("%s leads to %q", cause, class.Reason)
		}
	}
}

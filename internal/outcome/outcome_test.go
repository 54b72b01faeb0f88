package outcome_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/outcome"
)

func TestClassifyMakesUnclassifiedErrorsTransient(t *testing.T) {
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

func TestUnclassifiedErrorShowsOnlyItsType(t *testing.T) {
	if got := outcome.Classify(errors.New("token=secret")).Error(); got != "unknown: *errors.errorString" {
		t.Errorf("got %s", got)
	}
}

func TestEveryReasonHasACause(t *testing.T) {
	used := map[outcome.Reason]bool{outcome.Unconfirmed: true} // of the ambiguous causes, where the configuration says so
	for _, cause := range outcome.Causes() {
		reason := cause.Class().Reason
		if !slices.Contains(outcome.Reasons(), reason) {
			t.Errorf("%s has the unlisted reason %q", cause, reason)
		}
		used[reason] = true
	}
	for _, reason := range outcome.Reasons() {
		if !used[reason] {
			t.Errorf("no cause has the reason %s", reason)
		}
	}
}

// documented returns the causes of each reason in the table of docs/dlq.md.
func documented(t *testing.T) map[outcome.Reason][]outcome.Cause {
	t.Helper()
	page, err := os.ReadFile("../../docs/dlq.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "| reason | causes |")
	table, _, _ = strings.Cut(table, "\n\n")
	found := make(map[outcome.Reason][]outcome.Cause)
	for _, row := range strings.Split(table, "\n")[2:] {
		cells := strings.Split(row, "|")
		reason := outcome.Reason(strings.Trim(cells[1], " `"))
		for _, cause := range strings.Fields(strings.ReplaceAll(cells[2], "`", "")) {
			found[reason] = append(found[reason], outcome.Cause(cause))
		}
	}
	return found
}

// deadLetters reports whether a cause can end in a dead letter. A channel that
// is suspended or rate limited waits instead.
func deadLetters(cause outcome.Cause) bool {
	class := cause.Class()
	waits := class.Scope == outcome.Channel && (class.Permanence == outcome.Permanent || class.Permanence == outcome.Rate)
	return !waits && class.Scope != outcome.System && cause != outcome.Abandoned
}

func TestDocumentedCausesMatchTheTable(t *testing.T) {
	want := make(map[outcome.Reason][]outcome.Cause)
	for _, cause := range outcome.Causes() {
		if !deadLetters(cause) {
			continue
		}
		class := cause.Class()
		want[class.Reason] = append(want[class.Reason], cause)
		if class.Permanence == outcome.Ambiguous {
			want[outcome.Unconfirmed] = append(want[outcome.Unconfirmed], cause)
		}
	}
	got := documented(t)
	for _, reason := range outcome.Reasons() {
		slices.Sort(want[reason])
		slices.Sort(got[reason])
		if !slices.Equal(got[reason], want[reason]) {
			t.Errorf("%s: docs/dlq.md names the causes %v, the table has %v", reason, got[reason], want[reason])
		}
		delete(got, reason)
	}
	if len(got) > 0 {
		t.Errorf("docs/dlq.md names reasons that do not exist: %v", got)
	}
}

package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/check"
)

// Exit codes of problems, from sysexits.h.
const (
	ExitUnavailable = 69 // a restart can help
	ExitDenied      = 77
	ExitConfig      = 78
)

// Problem is an error that an operator must fix.
type Problem struct {
	Exit int // exit code
	Text string
	err  error // the broker's error; may be nil
}

func (p *Problem) Unwrap() error { return p.err }

func (p *Problem) Error() string { return p.Text }

func (p *Problem) ExitCode() int { return p.Exit }

// deniedf returns the problem of a missing right.
func deniedf(format string, args ...any) *Problem {
	p := problemf(ExitDenied, format, args...)
	p.err = kerr.TopicAuthorizationFailed
	return p
}

func problemf(exit int, format string, args ...any) *Problem {
	return &Problem{Exit: exit, Text: fmt.Sprintf(format, args...)}
}

// Preflight checks topics and rights before the daemon joins a group. It returns all
// results. The error is a *Problem, or a failed request that can be retried.
func Preflight(ctx context.Context, adm *kadm.Client, c *Config, want []Shape) ([]check.Result, error) {
	checks := Checks{Admin: adm, Config: c, Want: want, Command: "notifier"}
	rights, err := checks.Rights(ctx)
	if err != nil {
		return nil, err
	}
	found, err := checks.Topics(ctx)
	if err != nil {
		return nil, err
	}
	var missing, denied, unfit []string
	for _, r := range rights {
		if r.Status == check.Failed {
			denied = append(denied, r.Message)
		}
	}
	for _, r := range found {
		switch {
		case r.Status != check.Failed || IsDenied(r.Err):
		case errors.Is(r.Err, kerr.UnknownTopicOrPartition):
			missing = append(missing, r.Subject)
		default:
			unfit = append(unfit, "topic "+r.Subject+": "+r.Message)
		}
	}
	found = append(rights, found...)
	switch {
	case len(missing) > 0:
		return found, problemf(ExitUnavailable, "missing topics: [%s]: run 'notifier topics create'", strings.Join(missing, ", "))
	case len(denied) > 0:
		return found, deniedf("not authorised: %s; our own topics share a prefix, so one prefixed ACL covers them", strings.Join(denied, ", "))
	case len(unfit) > 0:
		return found, problemf(ExitConfig, "%s; 'notifier topics check' shows the remedies", strings.Join(unfit, "; "))
	}
	return found, nil
}

// lacks returns the missing rights on a topic; none for brokers without KIP-430.
func lacks(have []kadm.ACLOperation, s Shape) []string {
	var lacking []string
	for _, op := range s.Role.needs() {
		if len(have) > 0 && !slices.Contains(have, op) && !slices.Contains(have, kmsg.ACLOperationAll) {
			lacking = append(lacking, fmt.Sprintf("%s on topic %s", op, s.Topic))
		}
	}
	return lacking
}

// needs returns the rights that the daemon needs on a topic of this role.
func (r Role) needs() []kmsg.ACLOperation {
	if r.written() {
		return []kmsg.ACLOperation{kmsg.ACLOperationRead, kmsg.ACLOperationWrite}
	}
	return []kmsg.ACLOperation{kmsg.ACLOperationRead}
}

// groupRights returns the missing rights on a group. It retries, since a new cluster
// has no coordinator at first.
func groupRights(ctx context.Context, adm *kadm.Client, group string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	for {
		described, err := adm.DescribeGroups(ctx, group)
		if err == nil {
			err = described[group].Err
		}
		have := described[group].AuthorizedOperations
		if errors.Is(err, kerr.GroupIDNotFound) || err == nil && len(have) == 0 {
			err = mayJoin(ctx, adm, group)
			have = nil
		}
		switch {
		case IsDenied(err), err == nil && len(have) > 0 && !slices.Contains(have, kmsg.ACLOperationRead) && !slices.Contains(have, kmsg.ACLOperationAll):
			return []string{"READ on group " + group}, nil
		case err == nil:
			return nil, nil
		case !kerr.IsRetriable(cause(err)):
			return nil, fmt.Errorf("describe group %s: %s", group, word(err))
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("group %s has no coordinator: %s", group, word(err))
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// mayJoin checks the right to join a group without effect: a member that does not
// exist leaves it, which needs the same right.
func mayJoin(ctx context.Context, adm *kadm.Client, group string) error {
	left, err := adm.LeaveGroup(ctx, kadm.LeaveGroup(group).InstanceIDs("notifier-preflight"))
	for _, member := range left {
		err = cmp.Or(err, member.Err)
	}
	if errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.GroupIDNotFound) {
		return nil
	}
	return err
}

// cause returns the broker's error in an error of kadm.
func cause(err error) error {
	var shards *kadm.ShardErrors
	if errors.As(err, &shards) && len(shards.Errs) > 0 {
		return shards.Errs[0].Err
	}
	return err
}

// IsDenied reports whether a broker refused a request for lack of a right.
func IsDenied(err error) bool {
	return errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.GroupAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed)
}

// word returns the name of a broker's error, or the error's text.
func word(err error) string {
	var k *kerr.Error
	if errors.As(cause(err), &k) {
		return k.Message
	}
	return err.Error()
}

package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The exit codes of problems, from sysexits.h.
const (
	ExitUnavailable = 69 // a restart can help
	ExitDenied      = 77
	ExitConfig      = 78
)

// Problem is something a person has to act on, in a sentence.
type Problem struct {
	Exit int
	Text string
	err  error // the broker's own, where there is one
}

// Unwrap returns the broker's own error.
func (p *Problem) Unwrap() error { return p.err }

func (p *Problem) Error() string { return p.Text }

// ExitCode is the code the process ends with.
func (p *Problem) ExitCode() int { return p.Exit }

func problemf(exit int, format string, args ...any) *Problem {
	return &Problem{Exit: exit, Text: fmt.Sprintf(format, args...)}
}

// Reach asks one broker for a sign of life, within a few seconds. kgo by
// itself polls for ever without an error where an address or a password is
// wrong. The error is a *Problem.
func Reach(ctx context.Context, cl *kgo.Client, c *Config) error {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	if err := dialAny(ctx, c.Brokers); err != nil {
		return err
	}
	if err := cl.Ping(ctx); err != nil {
		return connectProblem(ctx, err, c)
	}
	return nil
}

const reachTimeout = 8 * time.Second

// dialAny reports why no address can be connected to; nil when one can.
func dialAny(ctx context.Context, brokers []string) error {
	var reasons []string
	for _, address := range brokers {
		d := net.Dialer{Timeout: 3 * time.Second}
		conn, err := d.DialContext(ctx, "tcp", address)
		if err == nil {
			_ = conn.Close()
			return nil
		}
		reasons = append(reasons, dialReason(address, err))
	}
	return problemf(ExitUnavailable, "no broker can be reached: %s; check kafka.brokers", strings.Join(reasons, "; "))
}

func dialReason(address string, err error) string {
	var dns *net.DNSError
	var timeout interface{ Timeout() bool }
	host, _, _ := net.SplitHostPort(address)
	switch {
	case errors.As(err, &dns):
		return fmt.Sprintf("the name %s is not known", host)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("nothing listens on %s", address)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Sprintf("%s does not answer", address)
	}
	return fmt.Sprintf("%s: %v", address, errors.Unwrap(err))
}

// connectProblem says what a failed handshake means.
func connectProblem(ctx context.Context, err error, c *Config) error {
	address := strings.Join(c.Brokers, ", ")
	text := err.Error()
	var unknown x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var first *kgo.ErrFirstReadEOF
	var timeout net.Error
	switch {
	case IsRefused(err):
		return LoginRefused(address, c.SASL.Mechanism)
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return problemf(ExitConfig, "%s does not offer %s: choose another kafka.sasl.mechanism", address, c.SASL.Mechanism)
	case errors.Is(err, kerr.IllegalSaslState):
		return problemf(ExitConfig, "%s does not expect a login on this port: take kafka.sasl out, or use the port for it", address)
	case errors.As(err, &unknown):
		return problemf(ExitConfig, "%s shows a certificate of an unknown authority: name it in kafka.tls.ca", address)
	case errors.As(err, &hostname), errors.As(err, &invalid), errors.As(err, &verification):
		return problemf(ExitConfig, "the certificate of %s does not verify: %v", address, errors.Unwrap(err))
	case errors.As(err, &record), strings.Contains(text, "first record does not look like a TLS handshake"):
		return problemf(ExitConfig, "%s does not speak TLS: set kafka.tls.enabled to false, or use the port for TLS", address)
	case strings.Contains(text, "tls alert record"):
		return problemf(ExitConfig, "%s speaks TLS: set kafka.tls.enabled to true", address)
	case strings.Contains(text, "invalid large response size"):
		return problemf(ExitConfig, "%s is not a Kafka broker: its answer makes no sense", address)
	case errors.As(err, &first):
		return problemf(ExitConfig, "%s closes the connection at once: %s", address, firstRead(first, c))
	case errors.Is(err, io.EOF) && c.SASL.Mechanism != "":
		return problemf(ExitDenied, "%s ends the connection while logging in (%s): check user and password in kafka.sasl", address, c.SASL.Mechanism)
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(ctx.Err(), context.DeadlineExceeded):
		return problemf(ExitUnavailable, "%s accepts the connection and does not answer: is it a Kafka broker, and has it started?", address)
	}
	return problemf(ExitUnavailable, "%s cannot be used: %v", address, err)
}

// LoginRefused is the problem of a broker that does not take user and password.
func LoginRefused(address, mechanism string) *Problem {
	p := problemf(ExitDenied, "%s refuses user and password (%s): check kafka.sasl", address, mechanism)
	p.err = kerr.SaslAuthenticationFailed
	return p
}

// IsRefused reports whether a broker has answered that user or password are
// wrong.
func IsRefused(err error) bool {
	return errors.Is(err, kerr.SaslAuthenticationFailed) || strings.Contains(err.Error(), kerr.SaslAuthenticationFailed.Message)
}

func firstRead(err *kgo.ErrFirstReadEOF, c *Config) string {
	switch {
	case c.SASL.Mechanism == "" && strings.Contains(err.Error(), "SASL missing"):
		return "it may require a login; see kafka.sasl"
	case !c.TLS.Enabled:
		return "it may require TLS or a login; see kafka.tls and kafka.sasl"
	}
	return "it may not expect TLS on this port; see kafka.tls"
}

// WaitReachable tries Reach until it succeeds or d is over; a problem that
// waiting cannot mend ends it at once.
func WaitReachable(ctx context.Context, cl *kgo.Client, c *Config, d time.Duration, waiting func(error)) error {
	deadline := time.Now().Add(d)
	for said := false; ; {
		err := Reach(ctx, cl, c)
		var p *Problem
		if err == nil || !errors.As(err, &p) || p.Exit != ExitUnavailable || time.Now().After(deadline) {
			return err
		}
		if !said {
			waiting(err)
			said = true
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(min(time.Second, time.Until(deadline)+time.Millisecond)):
		}
	}
}

// Preflight checks everything that the daemon needs of the cluster before it
// joins a group: that each topic exists, that it may read the sources and
// write its own, and that these are fit for it. The error is a *Problem, unless
// the brokers could not say: that may be over in a moment. Warnings are returned
// beside it.
func Preflight(ctx context.Context, adm *kadm.Client, groups []string, want []Shape) ([]Finding, error) {
	var missing, denied []string
	for _, s := range want {
		d, err := lookUp(ctx, adm, s.Topic)
		switch {
		case err != nil:
			return nil, err
		case errors.Is(d.Err, kerr.UnknownTopicOrPartition):
			missing = append(missing, s.Topic)
			continue
		case isDenied(d.Err):
			denied = append(denied, fmt.Sprintf("DESCRIBE on topic %s", s.Topic))
			continue
		case d.Err != nil:
			return nil, fmt.Errorf("topic %s: %w", s.Topic, d.Err)
		}
		denied = append(denied, lacks(d.AuthorizedOperations, s)...)
	}
	if len(missing) > 0 {
		return nil, problemf(ExitUnavailable, "missing topics: [%s]: run 'notifier topics create'", strings.Join(missing, ", "))
	}
	for _, group := range groups {
		more, err := groupRights(ctx, adm, group)
		if err != nil {
			return nil, err
		}
		denied = append(denied, more...)
	}
	if len(denied) > 0 {
		return nil, problemf(ExitDenied, "not authorised: %s; our own topics share a prefix, so one prefixed ACL covers them", strings.Join(denied, ", "))
	}
	findings, err := Check(ctx, adm, want)
	if err != nil {
		return nil, err
	}
	var faults []string
	for _, f := range findings {
		if !f.Warning {
			faults = append(faults, "topic "+f.Topic+" "+f.Text)
		}
	}
	if len(faults) > 0 {
		return findings, problemf(ExitConfig, "%s", strings.Join(faults, "; "))
	}
	return findings, nil
}

// lacks names the rights on a topic that are needed and not there. Brokers
// without KIP-430 say nothing.
func lacks(have []kadm.ACLOperation, s Shape) []string {
	need := []kmsg.ACLOperation{kmsg.ACLOperationRead}
	if s.Role.written() {
		need = append(need, kmsg.ACLOperationWrite)
	}
	var lacking []string
	for _, op := range need {
		if len(have) > 0 && !slices.Contains(have, op) && !slices.Contains(have, kmsg.ACLOperationAll) {
			lacking = append(lacking, fmt.Sprintf("%s on topic %s", op, s.Topic))
		}
	}
	return lacking
}

// groupRights asks whether the group may be joined. A cluster that is new has
// no coordinator until somebody asks, so it is asked again.
func groupRights(ctx context.Context, adm *kadm.Client, group string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	for {
		described, err := adm.DescribeGroups(ctx, group)
		if err == nil {
			err = described[group].Err
		}
		switch {
		case err == nil, errors.Is(err, kerr.GroupIDNotFound):
			return nil, nil
		case isDenied(err):
			return []string{"READ on group " + group}, nil
		case !kerr.IsRetriable(cause(err)):
			return nil, fmt.Errorf("group %s cannot be looked at: %s", group, word(err))
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("group %s has no coordinator: %s", group, word(err))
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// cause is the broker's own error inside of what kadm wraps around it.
func cause(err error) error {
	var shards *kadm.ShardErrors
	if errors.As(err, &shards) && len(shards.Errs) > 0 {
		return shards.Errs[0].Err
	}
	return err
}

func isDenied(err error) bool {
	return errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.GroupAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed)
}

// word is an error in the broker's one word for it, where it has one.
func word(err error) string {
	var k *kerr.Error
	if errors.As(cause(err), &k) {
		return k.Message
	}
	return err.Error()
}

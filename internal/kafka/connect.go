package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/secret"
)

// Reach asks one broker for a sign of life, within a few seconds. kgo by
// itself polls for ever without an error where an address or a password is
// wrong. The error is a *Problem.
func Reach(ctx context.Context, cl *kgo.Client, c *Config) error {
	for _, f := range c.TLS.Findings(time.Now()) {
		if f.Exit != 0 {
			return problemf(f.Exit, "%s", f.Text)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	if err := dialAny(ctx, c.Brokers, dialer(cl, c)); err != nil {
		return err
	}
	if err := cl.Ping(ctx); err != nil {
		return connectProblem(ctx, err, c)
	}
	return nil
}

const reachTimeout = 8 * time.Second

// dialAny reports why no address can be connected to; nil when one can.
func dialAny(ctx context.Context, brokers []string, dial dialFunc) error {
	var reasons []string
	for _, address := range brokers {
		ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
		conn, err := dial(ctx, "tcp", address)
		cancel()
		if err == nil {
			_ = conn.Close()
			return nil
		}
		reasons = append(reasons, dialReason(address, err))
	}
	return problemf(ExitUnavailable, "no broker can be reached: %s; check kafka.brokers", strings.Join(reasons, "; "))
}

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// dialer returns how the client connects, without TLS and without the check of
// addresses that get a password in the clear: the handshake tells what is wrong
// there.
func dialer(cl *kgo.Client, c *Config) dialFunc {
	if dial, ok := cl.OptValue(kgo.Dialer).(dialFunc); ok && dial != nil && !c.TLS.Enabled && !c.SASL.isPlain() {
		return dial
	}
	return new(net.Dialer).DialContext
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
	var first *kgo.ErrFirstReadEOF
	var timeout net.Error
	if p := tlsProblem(err, address, c, time.Now()); p != nil {
		return p
	}
	switch {
	case errors.Is(err, errClear):
		return problemf(ExitConfig, "a broker learnt from %s is not used: %v", address, errClear)
	case IsRefused(err):
		return LoginRefused(address, c.SASL.Mechanism)
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return problemf(ExitConfig, "%s does not offer %s: choose another kafka.sasl.mechanism", address, c.SASL.Mechanism)
	case errors.Is(err, kerr.IllegalSaslState):
		return problemf(ExitConfig, "%s does not expect a login on this port: take kafka.sasl out, or use the port for it", address)
	case strings.Contains(text, "invalid large response size"):
		return problemf(ExitConfig, "%s is not a Kafka broker: its answer makes no sense", address)
	case errors.As(err, &first):
		return problemf(ExitConfig, "%s closes the connection at once: %s", address, firstRead(first, c))
	case errors.Is(err, io.EOF) && c.SASL.Mechanism != "":
		return problemf(ExitDenied, "%s ends the connection while logging in (%s): check user and password in kafka.sasl", address, c.SASL.Mechanism)
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(ctx.Err(), context.DeadlineExceeded):
		return problemf(ExitUnavailable, "%s accepts the connection and does not answer: is it a Kafka broker, and has it started?", address)
	}
	// A broker says in its own words why, and may repeat what it was sent.
	return problemf(ExitUnavailable, "%s cannot be used: %s", address, secret.Redact(text, c.SASL))
}

// LoginRefused is the problem of a broker that does not take user and password.
func LoginRefused(address, mechanism string) *Problem {
	p := problemf(ExitDenied, "%s refuses user and password (%s): check kafka.sasl", address, mechanism)
	if mechanism == "OAUTHBEARER" {
		p = problemf(ExitDenied, "%s refuses the token (OAUTHBEARER): check kafka.sasl.password", address)
	}
	p.err = kerr.SaslAuthenticationFailed
	return p
}

// IsRefused reports whether a broker has answered that user or password are
// wrong.
func IsRefused(err error) bool {
	return errors.Is(err, kerr.SaslAuthenticationFailed) || strings.Contains(err.Error(), kerr.SaslAuthenticationFailed.Message) ||
		// A broker answers to a token that it does not take with why, instead of nothing (RFC 7628, section 3.2.2).
		strings.Contains(err.Error(), "unexpected data in oauth response")
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

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

// Reach connects to one broker, within reachTimeout, and checks its version. kgo itself retries without
// end and without an error when an address or a password is wrong. The error is
// a *Problem.
func Reach(ctx context.Context, cl *kgo.Client, c *Config) error {
	for _, f := range c.TLS.CertificateProblems(time.Now()) {
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
	return supported(ctx, cl, c)
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
		reasons = append(reasons, address+": "+dialReason(err))
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

// dialReason describes an error of dialling, without the address.
func dialReason(err error) string {
	var dns *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &dns):
		return "no such host"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "connection timed out"
	}
	return fmt.Sprint(errors.Unwrap(err))
}

// connectProblem explains why a connection failed.
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
		return problemf(ExitConfig, "a broker advertised by %s is not used: %v", address, errClear)
	case IsRefused(err):
		return LoginRefused(address, c.SASL.Mechanism)
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return problemf(ExitConfig, "%s does not support %s: choose another kafka.sasl.mechanism", address, c.SASL.Mechanism)
	case errors.Is(err, kerr.IllegalSaslState):
		return problemf(ExitConfig, "%s does not accept SASL on this port: remove kafka.sasl, or use the SASL port", address)
	case strings.Contains(text, "invalid large response size"):
		return problemf(ExitConfig, "%s is not a Kafka broker: its response is invalid", address)
	case errors.As(err, &first):
		return problemf(ExitConfig, "%s closed the connection before its first response: %s", address, firstReadHint(first, c))
	case errors.Is(err, io.EOF) && c.SASL.Mechanism != "":
		return problemf(ExitDenied, "%s closed the connection during authentication (%s): check username and password in kafka.sasl", address, c.SASL.Mechanism)
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(ctx.Err(), context.DeadlineExceeded):
		return problemf(ExitUnavailable, "%s accepts connections but does not respond: check that it is a Kafka broker and has started", address)
	}
	// The broker's error text may echo the credentials.
	return problemf(ExitUnavailable, "%s: connection failed: %s", address, secret.Redact(text, c.SASL))
}

// LoginRefused is the problem of rejected credentials.
func LoginRefused(address, mechanism string) *Problem {
	p := problemf(ExitDenied, "%s rejected username and password (%s): check kafka.sasl", address, mechanism)
	if mechanism == "OAUTHBEARER" {
		p = problemf(ExitDenied, "%s rejected the token (OAUTHBEARER): check kafka.sasl.password", address)
	}
	p.err = kerr.SaslAuthenticationFailed
	return p
}

// IsRefused reports whether a broker has rejected the credentials.
func IsRefused(err error) bool {
	return errors.Is(err, kerr.SaslAuthenticationFailed) || strings.Contains(err.Error(), kerr.SaslAuthenticationFailed.Message) ||
		// A broker answers an invalid token with an error status (RFC 7628, 3.2.2).
		strings.Contains(err.Error(), "unexpected data in oauth response")
}

func firstReadHint(err *kgo.ErrFirstReadEOF, c *Config) string {
	switch {
	case c.SASL.Mechanism == "" && strings.Contains(err.Error(), "SASL missing"):
		return "it may require SASL; see kafka.sasl"
	case !c.TLS.Enabled:
		return "it may require TLS or SASL; see kafka.tls and kafka.sasl"
	}
	return "it may not support TLS on this port; see kafka.tls"
}

// WaitReachable retries Reach for d while brokers are unavailable. It calls
// onWait with the first error and returns other problems at once.
func WaitReachable(ctx context.Context, cl *kgo.Client, c *Config, d time.Duration, onWait func(error)) error {
	deadline := time.Now().Add(d)
	for notified := false; ; {
		err := Reach(ctx, cl, c)
		var p *Problem
		if err == nil || !errors.As(err, &p) || p.Exit != ExitUnavailable || time.Now().After(deadline) {
			return err
		}
		if !notified {
			onWait(err)
			notified = true
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(min(time.Second, time.Until(deadline)+time.Millisecond)):
		}
	}
}

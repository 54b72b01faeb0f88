package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"

	"github.com/algotrade/notifier/internal/egress"
)

// isPlain reports whether the mechanism sends the password or token itself.
func (s *SASL) isPlain() bool { return s.Mechanism == "PLAIN" || s.Mechanism == "OAUTHBEARER" }

// remote returns the brokers that are not on this host.
func (c *Config) remote() []string {
	return slices.DeleteFunc(slices.Clone(c.Brokers), func(b string) bool {
		host, _, err := net.SplitHostPort(b)
		return err != nil || egress.IsLocal(host)
	})
}

// LoginInTheClear describes a password or token that would travel unencrypted to
// another host without sasl.insecure; empty: none. Call it after flags and
// environment have been applied.
func (c *Config) LoginInTheClear() string {
	remote := c.remote()
	if c.TLS.Enabled || c.SASL.Insecure || !c.SASL.isPlain() || len(remote) == 0 {
		return ""
	}
	what := "the password"
	if c.SASL.Mechanism == "OAUTHBEARER" {
		what = "the token"
	}
	return fmt.Sprintf("%s would send %s in the clear to %s: set kafka.tls, or kafka.sasl.insecure: true if the network is trusted",
		c.SASL.Mechanism, what, strings.Join(remote, ", "))
}

// InTheClear describes events and alerts that travel unencrypted to other hosts;
// empty: none.
func (c *Config) InTheClear() string {
	remote := c.remote()
	if c.TLS.Enabled || len(remote) == 0 {
		return ""
	}
	return "kafka.tls is off: events and alerts travel in the clear to " + strings.Join(remote, ", ")
}

// errClear is the error for a broker on another host that a broker on this host
// advertises.
var errClear = errors.New("the broker is on another host, and the login would travel in the clear: set kafka.tls, or kafka.sasl.insecure: true if the network is trusted")

// dialLocal connects to this host only.
func dialLocal(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		if at, err := netip.ParseAddrPort(address); err != nil || !at.Addr().Unmap().IsLoopback() {
			return errClear
		}
		return nil
	}}
	conn, err := d.DialContext(ctx, network, address)
	if errors.Is(err, errClear) {
		return nil, fmt.Errorf("%s: %w", address, errClear)
	}
	return conn, err
}

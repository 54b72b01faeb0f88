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

// isPlain reports whether a login sends what it proves: SCRAM does not.
func (s *SASL) isPlain() bool { return s.Mechanism == "PLAIN" || s.Mechanism == "OAUTHBEARER" }

// remote returns the brokers that are not this machine.
func (c *Config) remote() []string {
	return slices.DeleteFunc(slices.Clone(c.Brokers), func(b string) bool {
		host, _, err := net.SplitHostPort(b)
		return err != nil || egress.IsLocal(host)
	})
}

// LoginInTheClear says that password or token would travel unencrypted to
// another machine, which nobody has asked for; empty: they would not. It is to
// be asked once it is known what overrides the file.
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

// InTheClear says that events and alerts travel unencrypted to other machines;
// empty: they do not.
func (c *Config) InTheClear() string {
	remote := c.remote()
	if c.TLS.Enabled || len(remote) == 0 {
		return ""
	}
	return "kafka.tls is off: events and alerts travel in the clear to " + strings.Join(remote, ", ")
}

// errClear is why a broker is not connected to that was learnt from others: the
// configured ones are this machine, and so nobody was asked.
var errClear = errors.New("it is another machine, and the login would travel in the clear: set kafka.tls, or kafka.sasl.insecure: true if nobody can listen in between")

// dialLocal connects to this machine only.
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

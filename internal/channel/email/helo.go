package email

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
)

// name returns the client's name in EHLO: the configured one, else the host's
// name if it is fully qualified, else its address (RFC 5321, 4.1.4).
func (s *session) name(config Config) string {
	if config.HELO != "" {
		return config.HELO
	}
	if name, _ := os.Hostname(); unqualified(name) == "" {
		return name
	}
	local, _ := netip.ParseAddrPort(s.conn.LocalAddr().String())
	ip := local.Addr().Unmap().WithZone("")
	if ip.Is6() {
		return "[IPv6:" + ip.String() + "]"
	}
	return "[" + ip.String() + "]"
}

// warnHELO returns why a server may refuse HELO; empty: it is the default, or
// good, or invalid.
func (c *Config) warnHELO() string {
	if c.HELO == "" || !isName(c.HELO) {
		return ""
	}
	return unqualified(c.HELO)
}

// unqualified returns why a server may refuse name in EHLO; empty: it is a fully
// qualified host name or an address literal, such as [192.0.2.1].
func unqualified(name string) string {
	_, err := netip.ParseAddr(name)
	switch {
	case strings.HasPrefix(name, "[") && strings.HasSuffix(name, "]"):
		return ""
	case err == nil:
		return fmt.Sprintf("%q is an address without brackets", name)
	case strings.Contains(name, "_"):
		return fmt.Sprintf("%q has an underscore, which no host name has", name)
	case !strings.Contains(strings.TrimSuffix(name, "."), "."), strings.HasSuffix(name, ".localdomain"):
		return fmt.Sprintf("%q is not fully qualified", name)
	}
	return ""
}

// Package egress guards outgoing connections to channels and the trace collector,
// and reloads trusted certificates. The guard blocks link-local addresses and cloud
// metadata services, which return credentials of the machine. Private addresses are
// allowed. Start reading at Guard.
package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// ErrBlocked is the error of a dial that Guard blocks.
var ErrBlocked = errors.New("its address is link-local or a cloud's metadata service, which is never connected to")

// Guard is a net.Dialer's ControlContext. It checks the resolved address of every
// dial, so DNS rebinding does not bypass it.
func Guard(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if Blocked(at.Addr()) {
		return ErrBlocked
	}
	return nil
}

// blocked are the addresses of metadata services. Most providers use
// 169.254.169.254, AWS ECS 169.254.170.2.
var blocked = []netip.Prefix{
	netip.MustParsePrefix("169.254.0.0/16"),     // link-local (RFC 3927)
	netip.MustParsePrefix("fe80::/10"),          // link-local (RFC 4291)
	netip.MustParsePrefix("fd00:ec2::/32"),      // AWS: instance metadata, pod identity, by IPv6
	netip.MustParsePrefix("168.63.129.16/32"),   // Azure: the host's own services ("WireServer")
	netip.MustParsePrefix("100.100.100.200/32"), // Alibaba Cloud
	netip.MustParsePrefix("192.0.0.192/32"),     // Oracle Cloud, classic
	netip.MustParsePrefix("fd20:ce::254/128"),   // Google Cloud, by IPv6
	netip.MustParsePrefix("fd00:42::42/128"),    // Scaleway, by IPv6
}

// Blocked reports whether addr, or an IPv4 address embedded in it, is link-local or
// a metadata service.
func Blocked(addr netip.Addr) bool {
	addr = addr.WithZone("")
	for _, a := range append(embeddedIPv4(addr), addr.Unmap()) {
		for _, prefix := range blocked {
			if prefix.Contains(a) {
				return true
			}
		}
	}
	return false
}

// The prefixes of IPv6 addresses with an embedded IPv4 address.
var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96")    // NAT64 (RFC 6052)
	nat64Local = netip.MustParsePrefix("64:ff9b:1::/48")  // local-use NAT64 (RFC 8215)
	sixToFour  = netip.MustParsePrefix("2002::/16")       // 6to4 (RFC 3056)
	teredo     = netip.MustParsePrefix("2001::/32")       // Teredo (RFC 4380)
	compatible = netip.MustParsePrefix("::/96")           // IPv4-compatible (RFC 4291, 2.5.5.1)
	translated = netip.MustParsePrefix("::ffff:0:0:0/96") // IPv4-translated (RFC 2765)
)

// embeddedIPv4 returns the IPv4 addresses that may be embedded in an IPv6 address.
func embeddedIPv4(addr netip.Addr) []netip.Addr {
	if !addr.Is6() || addr.Is4In6() {
		return nil
	}
	b := addr.As16()
	v4 := func(b0, b1, b2, b3 byte) netip.Addr { return netip.AddrFrom4([4]byte{b0, b1, b2, b3}) }
	last := v4(b[12], b[13], b[14], b[15])
	var found []netip.Addr
	switch {
	case nat64.Contains(addr), compatible.Contains(addr), translated.Contains(addr):
		found = append(found, last)
	case nat64Local.Contains(addr): // any prefix length; bits 64 to 71 are skipped (RFC 6052, 2.2)
		found = append(found, last, v4(b[6], b[7], b[9], b[10]), v4(b[7], b[9], b[10], b[11]), v4(b[9], b[10], b[11], b[12]))
	case sixToFour.Contains(addr):
		found = append(found, v4(b[2], b[3], b[4], b[5]))
	case teredo.Contains(addr): // the server, and the client, whose bits are inverted
		found = append(found, v4(b[4], b[5], b[6], b[7]), v4(^b[12], ^b[13], ^b[14], ^b[15]))
	}
	if b[8]&^0x02 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe { // ISATAP (RFC 5214, 6.1)
		found = append(found, last)
	}
	return found
}

// IsLocal reports whether host, without a port, is localhost or a loopback address.
// It does not resolve names.
func IsLocal(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") { // RFC 6761, 6.3
		return true
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}

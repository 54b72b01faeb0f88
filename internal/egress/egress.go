// Package egress is how the daemon reaches what its configuration names: a
// guard that looks at every address it dials for a channel or the collector of
// spans, and certificates to trust that change on disk. The guard is a safety
// net against a mistaken or planted URL that leads to a cloud's metadata
// service, where credentials of the machine are handed out. It is no sandbox:
// private addresses are the operator's own, and are dialled. Start reading at
// Guard.
package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// ErrBlocked is the error of a dial that Guard refuses.
var ErrBlocked = errors.New("its address is link-local or a cloud's metadata service, which is never connected to")

// Guard is a net.Dialer's ControlContext. It sees the address after the name
// was resolved, for every dial, so a name that resolves to another address the
// second time is no way around it.
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

// blocked is where metadata services listen. Those without a provider's name
// are used by most: AWS, Azure, GCP, Oracle, OpenStack, DigitalOcean and others
// have theirs at 169.254.169.254, AWS ECS has 169.254.170.2.
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

// Blocked reports whether addr is a metadata service or link-local, by itself
// or through one of the ways in which IPv6 carries an IPv4 address.
func Blocked(addr netip.Addr) bool {
	addr = addr.WithZone("")
	for _, a := range append(carried(addr), addr.Unmap()) {
		for _, prefix := range blocked {
			if prefix.Contains(a) {
				return true
			}
		}
	}
	return false
}

// The prefixes whose addresses lead to an IPv4 address, and where it stands in
// them.
var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96")    // NAT64 (RFC 6052)
	nat64Local = netip.MustParsePrefix("64:ff9b:1::/48")  // NAT64 of one's own (RFC 8215)
	sixToFour  = netip.MustParsePrefix("2002::/16")       // 6to4 (RFC 3056)
	teredo     = netip.MustParsePrefix("2001::/32")       // Teredo (RFC 4380)
	compatible = netip.MustParsePrefix("::/96")           // IPv4-compatible (RFC 4291, 2.5.5.1)
	translated = netip.MustParsePrefix("::ffff:0:0:0/96") // IPv4-translated (RFC 2765)
)

// carried returns the IPv4 addresses that an IPv6 address may lead to.
func carried(addr netip.Addr) []netip.Addr {
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
	case nat64Local.Contains(addr): // the network says which length it uses; bits 64 to 71 are left out (RFC 6052, 2.2)
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

// IsLocal reports whether host, a name or an address without a port, is this
// machine: localhost, or a loopback address. No name is resolved.
func IsLocal(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") { // RFC 6761, 6.3
		return true
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}

package egress

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// NoProxy is the setting that ignores the proxies of the environment.
const NoProxy = "none"

// Proxy returns the proxy for a URL; nil: it is connected to directly. Since a proxy
// resolves names itself, a name or address of a metadata service is ErrBlocked.
type Proxy func(*url.URL) (*url.URL, error)

// NewProxy returns the proxy of a setting: a URL, for all destinations, or NoProxy; empty:
// HTTPS_PROXY and HTTP_PROXY of the environment, except for destinations on this host and
// those of NO_PROXY. The error does not contain the setting, which may
// hold a password.
func NewProxy(setting string) (Proxy, error) {
	proxyOf := httpproxy.FromEnvironment().ProxyFunc()
	switch setting {
	case "":
	case NoProxy:
		proxyOf = func(*url.URL) (*url.URL, error) { return nil, nil }
	default:
		u, err := url.Parse(setting)
		if err != nil || u.Host == "" || !slices.Contains(proxySchemes, u.Scheme) {
			return nil, fmt.Errorf("is not a proxy: write %s or a URL that begins with http://, https:// or socks5://", NoProxy)
		}
		proxyOf = func(*url.URL) (*url.URL, error) { return u, nil }
	}
	return func(u *url.URL) (*url.URL, error) {
		proxy, err := proxyOf(u)
		if err != nil { // it quotes the setting
			return nil, errors.New("the proxy of the environment is not a URL")
		}
		if proxy != nil && isMetadata(u.Hostname()) {
			return nil, ErrBlocked
		}
		return proxy, nil
	}, nil
}

var proxySchemes = []string{"http", "https", "socks5", "socks5h"}

// metadataNames are the names of metadata services in the clouds' own DNS.
var metadataNames = []string{
	"metadata.google.internal", "metadata.goog", "metadata", // Google Cloud
	"instance-data", "instance-data.ec2.internal", // AWS
	"metadata.tencentyun.com", // Tencent Cloud
}

// isMetadata reports whether a host is a metadata service by its name or address. It does
// not resolve names.
func isMetadata(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if slices.Contains(metadataNames, host) {
		return true
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		addr = classful(host)
	}
	return addr.IsValid() && Blocked(addr)
}

// classful parses an IPv4 address as inet_aton does, which many proxies use: up to four
// decimal, octal or hexadecimal numbers, the last of which fills the rest. It returns the
// zero Addr for other texts.
func classful(host string) netip.Addr {
	parts := strings.Split(host, ".")
	if len(parts) > 4 {
		return netip.Addr{}
	}
	var all uint64
	for i, part := range parts {
		bits := 8
		if i == len(parts)-1 {
			bits = 8 * (4 - i)
		}
		n, err := strconv.ParseUint(part, 0, bits)
		if err != nil {
			return netip.Addr{}
		}
		all = all<<bits | n
	}
	return netip.AddrFrom4([4]byte{byte(all >> 24), byte(all >> 16), byte(all >> 8), byte(all)})
}

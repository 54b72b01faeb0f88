package egress_test

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/algotrade/notifier/internal/egress"
)

func TestMetadataAddressesAreBlockedInEveryForm(t *testing.T) {
	for _, text := range []string{
		"169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.0.23", "168.63.129.16", "100.100.100.200", "192.0.0.192",
		"fe80::1", "fe80::a9fe:a9fe%eth0", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:42::42",
		"::ffff:169.254.169.254", "::169.254.169.254", "::ffff:0:169.254.169.254", // mapped, compatible, translated
		"64:ff9b::169.254.169.254", "64:ff9b::168.63.129.16", // NAT64
		"64:ff9b:1::169.254.169.254", "64:ff9b:1:a9fe:a9:fe00::", "64:ff9b:1:a9:fe:a9fe::", "64:ff9b:1:0:a9:fea9:fe00:0", // of one's own: /96, /48, /56, /64
		"2002:a9fe:a9fe::1", "2002:6464:64c8::", // 6to4
		"2001:0:a9fe:a9fe::", "2001:0:1:1::5601:5601", // Teredo: the server, the client
		"2001:db8::5efe:169.254.169.254", "2001:db8::200:5efe:a9fe:a9fe", // ISATAP
	} {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			t.Fatal(err)
		}
		if !egress.Blocked(addr) {
			t.Errorf("%s is not blocked", text)
		}
	}
}

func TestOtherAddressesAreNotBlocked(t *testing.T) {
	for _, text := range []string{
		"127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "172.17.0.1", "100.100.100.201", "168.63.129.17", "8.8.8.8", "0.0.0.0", "::",
		"fd12:3456::1", "2001:db8::1", "2606:4700::1111", "64:ff9b::8.8.8.8", "64:ff9b:1::10.0.0.1", "2002:808:808::1", "::ffff:10.0.0.1",
		"2001:db8::a9fe:a9fe", "fd20:ce::253",
	} {
		if egress.Blocked(netip.MustParseAddr(text)) {
			t.Errorf("%s is blocked", text)
		}
	}
}

func TestGuardBlocksDial(t *testing.T) {
	d := net.Dialer{ControlContext: egress.Guard}
	for _, address := range []string{"169.254.169.254:80", "[::ffff:169.254.169.254]:80"} {
		if _, err := d.DialContext(t.Context(), "tcp", address); !errors.Is(err, egress.ErrBlocked) {
			t.Errorf("%s: %v", address, err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}

func TestIsLocal(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST.": true, "kafka.localhost": true, "127.0.0.1": true, "127.8.9.1": true, "::1": true, "[::1]": true,
		"localhost.example.com": false, "10.0.0.1": false, "kafka": false, "": false, "0.0.0.0": false, "notlocalhost": false,
	} {
		if egress.IsLocal(host) != want {
			t.Errorf("%q: %v", host, !want)
		}
	}
}

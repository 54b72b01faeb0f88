package devbroker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"
)

// listen opens a loopback address.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("%q is not an address: use %s", addr, DefaultAddr)
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("%q has no port between 0 and 65535: use %s", addr, DefaultAddr)
	}
	if ip := net.ParseIP(host); host != "localhost" && !ip.IsLoopback() {
		return nil, fmt.Errorf("the built-in broker has no authentication and listens on this host only: use 127.0.0.1:%[2]d, not %[1]s", addr, port)
	}
	// macOS and Windows allow 127.0.0.1 next to a wildcard listener on the same
	// port, such as a Kafka in a container, whose clients would then connect here.
	if port != 0 && answers(ctx, addr) {
		return nil, &PortTaken{Port: int(port)}
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, &PortTaken{Port: int(port)}
	case err != nil:
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	return ln, nil
}

// answers reports whether something accepts connections at a local address.
func answers(ctx context.Context, addr string) bool {
	conn, err := (&net.Dialer{Timeout: 200 * time.Millisecond}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

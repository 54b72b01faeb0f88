package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// unixPrefix is the prefix of the path of a Unix socket.
const unixPrefix = "unix:"

// maxPath is the longest path of a Unix socket, in bytes (unix(7), sun_path).
const maxPath = 107

// CheckListen validates an address to listen on: host:port, or unix: and an absolute path.
func CheckListen(address string) error {
	path, isPath := strings.CutPrefix(address, unixPrefix)
	if !isPath {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return fmt.Errorf("%q is not host:port, such as 127.0.0.1:9464, nor unix:/path", address)
		}
		return nil
	}
	switch {
	case !filepath.IsAbs(path):
		return fmt.Errorf("%q: the path of a Unix socket must be absolute, such as unix:/run/notifier/http.sock", address)
	case len(path) > maxPath:
		return fmt.Errorf("%q: the path of a Unix socket has %d bytes at most", address, maxPath)
	}
	return nil
}

// Network returns the arguments of net.Dial for a valid address.
func Network(address string) (network, at string) {
	if path, ok := strings.CutPrefix(address, unixPrefix); ok {
		return "unix", path
	}
	return "tcp", address
}

func listen(address string) (net.Listener, error) {
	network, at := Network(address)
	if network == "unix" {
		return listenUnix(at)
	}
	return net.Listen(network, at)
}

var errInUse = errors.New("address already in use")

// listenUnix listens on a path and removes the socket of a process that was killed. Only owner and
// group may connect.
func listenUnix(path string) (net.Listener, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeSocket == 0:
		return nil, errors.New("the file exists and is not a socket")
	default:
		conn, err := net.DialTimeout("unix", path, time.Second)
		if err == nil {
			_ = conn.Close()
			return nil, errInUse
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o660); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

package base

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/algotrade/notifier/internal/obs/admin"
	"github.com/algotrade/notifier/internal/term"
)

// Instance is the HTTP server of the daemon on this host, at http.listen.
type Instance struct{ Addr string }

// NewInstance returns the daemon that listens at an address.
func NewInstance(listen string) *Instance { return &Instance{Addr: Reachable(listen)} }

// Reachable returns the address to connect to: the IPv4 loopback address for a
// listener on all addresses.
func Reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return listen
}

// client connects to the address, whatever host a URL has. It uses no proxy,
// follows no redirect and bounds the headers.
func (i *Instance) client() *http.Client {
	network, at := admin.Network(i.Addr)
	return &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, at)
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// DisplayURL returns a listen address as people read it.
func DisplayURL(listen string) string {
	if network, _ := admin.Network(listen); network == "unix" {
		return listen
	}
	return "http://" + listen
}

// URL returns the URL of a path.
func (i *Instance) URL(path string) string {
	if network, _ := admin.Network(i.Addr); network == "unix" {
		return "http://localhost" + path
	}
	return "http://" + i.Addr + path
}

// RequestTimeout bounds one request, less than the time-out of a container's
// health check.
const RequestTimeout = 3 * time.Second

const (
	maxBody, maxMetrics = 1 << 20, 32 << 20 // bytes of a response, and of /metrics
	maxLine             = 200               // columns of an unexpected response that are shown
)

// Get requests a path. The error is one of the connection, or of a response that
// is too large.
func (i *Instance) Get(ctx context.Context, path string) (status int, body []byte, err error) {
	most := int64(maxBody)
	if path == "/metrics" {
		most = maxMetrics
	}
	ctx, cancel := context.WithTimeout(ctx, RequestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, i.URL(path), nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := i.client().Do(req)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err == nil && int64(len(body)) > most {
		return 0, nil, fmt.Errorf("the response is larger than %s: not a notifier", humanize.IBytes(uint64(most)))
	}
	return resp.StatusCode, body, err
}

// FirstLine returns the beginning of a response's first line.
func FirstLine(body []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	line = line[:min(len(line), 4*maxLine)] // a column may take any number of bytes
	return term.Cut(term.Visible(strings.ToValidUTF8(line, "\uFFFD")), maxLine)
}

// Readiness is the response of /readyz.
type Readiness struct {
	Ready      bool              `json:"ready"`
	Components []admin.Component `json:"components"`
}

// Readiness requests /readyz.
func (i *Instance) Readiness(ctx context.Context) (*Readiness, error) {
	_, body, err := i.Get(ctx, "/readyz")
	if err != nil {
		return nil, err
	}
	var r Readiness
	if json.Unmarshal(body, &r) != nil || len(r.Components) == 0 {
		return nil, fmt.Errorf("the server on %s is not a notifier", i.Addr)
	}
	return &r, nil
}

// Channel returns the component of a channel; nil: none.
func (r *Readiness) Channel(name string) *admin.Component {
	if r == nil {
		return nil
	}
	for i, c := range r.Components {
		if c.Name == "channel "+name {
			return &r.Components[i]
		}
	}
	return nil
}

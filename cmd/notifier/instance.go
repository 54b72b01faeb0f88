package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/algotrade/notifier/internal/web"
)

// instance is a running notifier as its HTTP server shows it: the one that
// listens where the configuration says. There may be none, and others elsewhere.
type instance struct {
	addr string
	http *http.Client
}

// answerWithin bounds one question to a notifier. It answers from memory.
const answerWithin = 2 * time.Second

// newInstance returns the notifier that listens at an address; one that means all
// addresses is asked at this host's own.
func newInstance(listen string) *instance {
	host, port, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		listen = net.JoinHostPort("127.0.0.1", port)
	}
	// Neither a proxy nor a redirect leads to the daemon.
	return &instance{addr: listen, http: &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// maxAnswer is how much of an answer is read: metrics of many partitions take
// some megabytes.
const maxAnswer = 32 << 20

// get asks for a path. The error is one of the connection.
func (i *instance) get(ctx context.Context, path string) (status int, header http.Header, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+i.addr+path, nil)
	if err != nil {
		return 0, nil, nil, err
	}
	resp, err := i.http.Do(req)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, resp.Header, body, err
}

// readiness is what /readyz says.
type readiness struct {
	Ready      bool            `json:"ready"`
	Components []web.Component `json:"components"`
}

// readiness asks for the components; an error: no notifier answers there.
func (i *instance) readiness(ctx context.Context) (*readiness, error) {
	_, _, body, err := i.get(ctx, "/readyz")
	if err != nil {
		return nil, err
	}
	var r readiness
	if json.Unmarshal(body, &r) != nil || len(r.Components) == 0 {
		return nil, fmt.Errorf("what listens on %s is no notifier", i.addr)
	}
	return &r, nil
}

// channel returns a channel's component; nil: there is none.
func (r *readiness) channel(name string) *web.Component {
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

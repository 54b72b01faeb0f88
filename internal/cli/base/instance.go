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

// Instance is a running notifier as its HTTP server shows it: the one that
// listens where the configuration says. There may be none, and others elsewhere.
type Instance struct{ Addr string }

// NewInstance returns the notifier that listens at an address.
func NewInstance(listen string) *Instance {
	return &Instance{Addr: Reachable(listen)}
}

// Reachable is the address under which a listener on this machine is reached:
// one on all addresses, IPv6's too, by IPv4's loopback.
func Reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return listen
}

// clientTo returns a client that asks what listens at an address, whatever host a
// URL names. Neither a proxy nor a redirect leads to a notifier, and what listens
// there need not be one: nothing of its answer is without a bound.
func clientTo(listen string) *http.Client {
	network, at := admin.Network(Reachable(listen))
	return &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, network, at)
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// ShownAt is an address that is listened on, for people.
func ShownAt(listen string) string {
	if network, _ := admin.Network(listen); network == "unix" {
		return listen
	}
	return "http://" + listen
}

// URLOf is where a path of what listens at an address is.
func URLOf(listen, path string) string {
	if network, _ := admin.Network(listen); network == "unix" {
		return "http://localhost" + path
	}
	return "http://" + Reachable(listen) + path
}

const (
	// answerWithin bounds one question to a notifier. It answers from memory.
	answerWithin = 2 * time.Second
	// MaxAnswer is how much it may answer, in bytes; maxMetrics is the same of
	// /metrics, which of many partitions take some megabytes.
	MaxAnswer, maxMetrics = 1 << 20, 32 << 20
	// maxSentence is how much of an answer that is no notifier's is shown.
	maxSentence = 200
)

// AskDaemon makes one request. The error is one of the connection, or says that the
// answer has more than most bytes.
func AskDaemon(ctx context.Context, listen, path string, within time.Duration, most int64) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, URLOf(listen, path), nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := clientTo(listen).Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err == nil && int64(len(body)) > most {
		return 0, nil, fmt.Errorf("it answers with more than %s: that is no notifier", humanize.IBytes(uint64(most)))
	}
	return resp.StatusCode, body, err
}

// Get asks for a path. The error is one of the connection.
func (i *Instance) Get(ctx context.Context, path string) (status int, body []byte, err error) {
	most := int64(MaxAnswer)
	if path == "/metrics" {
		most = maxMetrics
	}
	status, body, err = AskDaemon(ctx, i.Addr, path, answerWithin, most)
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return status, body, err
}

// Sentence is an answer that is to be one line of text.
func Sentence(body []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	line = line[:min(len(line), 4*maxSentence)] // a character's width is no bound of its bytes
	return term.Cut(term.Visible(strings.ToValidUTF8(line, "\uFFFD")), maxSentence)
}

// Readiness is what /readyz says.
type Readiness struct {
	Ready      bool              `json:"ready"`
	Components []admin.Component `json:"components"`
}

// Readiness asks for the components; an error: no notifier answers there.
func (i *Instance) Readiness(ctx context.Context) (*Readiness, error) {
	_, body, err := i.Get(ctx, "/readyz")
	if err != nil {
		return nil, err
	}
	var r Readiness
	if json.Unmarshal(body, &r) != nil || len(r.Components) == 0 {
		return nil, fmt.Errorf("what listens on %s is no notifier", i.Addr)
	}
	return &r, nil
}

// Channel returns a channel's component; nil: there is none.
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

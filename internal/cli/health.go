package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/term"
)

func newHealth(g *base.Globals) *cobra.Command {
	var ready bool
	cmd := &cobra.Command{
		Use: "health", Short: "Check whether the daemon on this host is alive", Args: base.NoArgs,
		Long: "Check whether the daemon on this host is alive, with a request to /livez on http.listen. The exit\n" +
			"code is 0 if its loops make progress, else 1. Use it as the health check of a container: brokers\n" +
			"that are down are no reason to kill the daemon, which recovers when they are back. With --ready it\n" +
			"requests /readyz and prints what is not ready.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			src := g.Source()
			src.Found = nil // containers run this every few seconds and keep its output
			listen, err := config.HTTPListen(src)
			if err != nil {
				return err
			}
			what, path := "alive", "/livez"
			if ready {
				what, path = "ready", "/readyz"
			}
			h := checkHealth(cmd.Context(), listen, path)
			if g.JSON() {
				if err := base.NewEncoder(g.IO.Out).Encode(h); err != nil {
					return err
				}
			}
			switch {
			case !h.Healthy:
				return base.Fail(base.ExitFailed, "not %s: %s", what, strings.Join(h.Problems, "; "))
			case !g.JSON():
				_, err = fmt.Fprintln(g.IO.Out, what)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&ready, "ready", false, "check whether it is ready")
	return cmd
}

// healthResult is the output of health.
type healthResult struct {
	Healthy  bool     `json:"healthy"`
	URL      string   `json:"url"`
	Problems []string `json:"problems"`
}

// checkHealth requests a path of the daemon that listens there.
func checkHealth(ctx context.Context, listen, path string) *healthResult {
	daemon := base.NewInstance(listen)
	h := &healthResult{URL: daemon.URL(path), Problems: []string{}}
	status, body, err := daemon.Get(ctx, path)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		h.Problems = []string{"connection refused on " + listen + ": the notifier is not running, or is still starting (see its log)"}
	case errors.Is(err, context.DeadlineExceeded):
		h.Problems = []string{fmt.Sprintf("%s does not respond within %s", listen, base.RequestTimeout)}
	case err != nil:
		h.Problems = []string{term.Visible(err.Error())}
	case status == http.StatusServiceUnavailable:
		h.Problems = problems(body)
	case status != http.StatusOK:
		h.Problems = []string{fmt.Sprintf("%s returned %d: not a notifier", h.URL, status)}
	default:
		h.Healthy = true
	}
	return h
}

// problems returns why a response has status 503: the components of /readyz that
// are not ready, or the text of /livez.
func problems(body []byte) []string {
	var r base.Readiness
	if err := json.Unmarshal(body, &r); err != nil {
		return []string{base.FirstLine(body)}
	}
	var list []string
	for _, c := range r.Components {
		if c.Decides && !c.OK {
			list = append(list, term.Visible(c.Name+": "+c.Cause))
		}
	}
	return list
}

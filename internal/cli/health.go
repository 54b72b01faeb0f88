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
	"time"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/term"
)

// healthTimeout is how long health waits for an answer, less than the time
// that containers give it.
const healthTimeout = 3 * time.Second

func newHealth(g *base.Globals) *cobra.Command {
	var ready bool
	cmd := &cobra.Command{
		Use: "health", Short: "Ask the daemon on this machine whether it is alive", Args: base.NoArgs,
		Long: "Ask the daemon on this machine, at its own http.listen, whether it is alive (/livez): exit code 0\n" +
			"if its loops turn, 1 if not or if nobody answers. This is what a container's health check runs:\n" +
			"brokers that are down are no reason to kill the daemon, which goes on when they are back.\n" +
			"--ready asks whether it does its work (/readyz), and says what is missing.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			src := g.Source()
			src.Found = nil // containers run it every few seconds, and keep what it says
			listen, err := config.HTTPListen(src)
			if err != nil {
				return err
			}
			what, path := "alive", "/livez"
			if ready {
				what, path = "ready", "/readyz"
			}
			h := askHealth(cmd.Context(), listen, path)
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
	cmd.Flags().BoolVar(&ready, "ready", false, "ask whether it is ready, not only whether it is alive")
	return cmd
}

// healthAnswer is what the daemon answered.
type healthAnswer struct {
	Healthy  bool     `json:"healthy"`
	URL      string   `json:"url"`
	Problems []string `json:"problems"`
}

// askHealth asks the daemon that listens there. That nobody answers, or not as
// a notifier does, is a problem as well.
func askHealth(ctx context.Context, listen, path string) *healthAnswer {
	h := &healthAnswer{URL: base.URLOf(listen, path), Problems: []string{}}
	status, body, err := base.AskDaemon(ctx, listen, path, healthTimeout, base.MaxAnswer)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		h.Problems = []string{"nobody listens on " + listen + ": no notifier runs here, or it still looks at the cluster, as its log says"}
	case errors.Is(err, context.DeadlineExceeded):
		h.Problems = []string{fmt.Sprintf("%s does not answer within %s", listen, healthTimeout)}
	case err != nil:
		h.Problems = []string{term.Visible(err.Error())}
	case status == http.StatusServiceUnavailable:
		h.Problems = problems(body)
	case status != http.StatusOK:
		h.Problems = []string{fmt.Sprintf("%s answers %d: that is no notifier", h.URL, status)}
	default:
		h.Healthy = true
	}
	return h
}

// problems returns what an answer of 503 says: the components of /readyz that
// decide and are not well, or the line of /livez.
func problems(body []byte) []string {
	var doc struct {
		Components []struct {
			Name, Cause string
			OK, Decides bool
		}
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return []string{base.Sentence(body)}
	}
	var list []string
	for _, c := range doc.Components {
		if c.Decides && !c.OK {
			list = append(list, term.Visible(c.Name+": "+c.Cause))
		}
	}
	return list
}

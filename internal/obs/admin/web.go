// Package admin is the daemon's HTTP server: an overview, liveness, readiness, metrics and the log
// level. Everyone who can connect may read it; guard controls changes, limiter the number of
// connections. Start reading at New.
package admin

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/obs/logging"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/secret"
)

// Component is one part of the daemon as /readyz shows it.
type Component struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Decides: the daemon is not ready without it. Channels do not decide: a suspended channel
	// must not block the roll-out that fixes it.
	Decides bool   `json:"decides"`
	Cause   string `json:"cause,omitempty"`
	State   string `json:"state,omitempty"`
	// Since is when a channel was suspended, or was behind first.
	Since *time.Time `json:"since,omitempty"`
	// Remedy is what an operator can do about a channel in trouble.
	Remedy string `json:"remedy,omitempty"`
	// Until is when a channel that its provider asked to wait is tried again.
	Until *time.Time `json:"until,omitempty"`
	// Waiting is the number of alerts that wait for a channel, the oldest since Oldest;
	// KeptUntil is when retention may delete it; nil: never.
	Waiting   int64      `json:"waiting,omitempty"`
	Oldest    *time.Time `json:"oldest,omitempty"`
	KeptUntil *time.Time `json:"kept_until,omitempty"`
	// Moving are the open moves of the waiting alerts.
	Moving []Moving `json:"moving,omitempty"`
}

// Moving is one request to move a channel's waiting alerts.
type Moving struct {
	To string `json:"to"`
	By string `json:"by"` // user
}

// Params is what a Server needs.
type Params struct {
	Listen   string        // host:port, or unix:/path; see CheckListen
	Hosts    []string      // names of this host besides the host name
	Token    secret.String // for other hosts to change the log level; zero: none may
	Version  string
	Live     func() error       // nil: the process makes progress
	Ready    func() []Component // the components of /readyz
	Gatherer prometheus.Gatherer
	Level    *slog.LevelVar // changed by PUT /log-level
	Logger   *slog.Logger
}

// Limits of one request.
const (
	headerTimeout  = 5 * time.Second
	readTimeout    = 10 * time.Second
	writeTimeout   = 15 * time.Second
	idleTimeout    = time.Minute
	maxHeaderBytes = 8 << 10
	maxScrapes     = 4 // gathered concurrently; others get 503
	scrapeTimeout  = 8 * time.Second
)

// Server is the HTTP server.
type Server struct {
	p        Params
	listener *limiter
	server   *http.Server
	levels   *levels
}

// New listens, so that a port in use is an error before anything else starts. Run serves.
func New(p Params) (*Server, error) {
	l, err := listen(p.Listen)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return nil, fmt.Errorf("cannot listen on %s (%w): change http.listen, or dev's --http", p.Listen, err)
	}
	log := p.Logger.With("component", "web")
	s := &Server{p: p, listener: newLimiter(l, maxConnections), levels: newLevels(p.Level, logging.Unlimited(log))}
	g := newGuard(p.Listen, p.Hosts, p.Token, log)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", g.ours(s.index))
	mux.HandleFunc("GET /livez", s.livez)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(p.Gatherer, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes, Timeout: scrapeTimeout}))
	mux.HandleFunc("GET /log-level", g.ours(s.levels.get))
	mux.HandleFunc("PUT /log-level", g.changes(s.levels.put))
	s.server = &http.Server{
		Handler: noting(secured(mux)), ConnContext: remember,
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(p.Logger.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// Addr returns the address it listens on.
func (s *Server) Addr() string {
	if addr := s.listener.Addr(); addr.Network() != "unix" {
		return addr.String()
	}
	return s.p.Listen
}

// Run serves until ctx ends, then waits up to a second for requests.
func (s *Server) Run(ctx context.Context) error {
	defer s.levels.stop()
	failed := make(chan error, 1)
	go func() { failed <- s.server.Serve(s.listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve http: %w", err)
	case <-ctx.Done():
	}
	stopCtx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.server.Shutdown(stopCtx); err != nil {
		return s.server.Close()
	}
	return nil
}

// style is the page's style sheet. The policy allows only its hash.
const style = `body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}td{padding:.3rem .8rem .3rem 0;border-top:1px solid #8884;vertical-align:top;overflow-wrap:anywhere}
td p{margin:.2rem 0 0}td:nth-child(-n+2){white-space:nowrap;overflow-wrap:normal}
@media(max-width:40rem){tr{display:block;border-top:1px solid #8884;padding:.3rem 0}td{display:inline-block;border:0;padding:0 .8rem 0 0}td:last-child{display:block}}
.ok{color:#188038}.bad{color:#d93025}code{font-size:.95em}`

var policy = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// secured adds headers that restrict browsers.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

var page = template.Must(template.New("").Funcs(template.FuncMap{"visible": alert.Visible}).Parse(`<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"><title>notifier</title>
<style>` + style + `</style>
<h1>notifier</h1><p>{{if .Ready}}<b class="ok">ready</b>{{else}}<b class="bad">not ready</b>{{end}}{{with .Trouble}} · <b class="bad">{{.}}</b>{{end}} · version {{.Version}}</p>
<table>{{range .Components}}<tr><td>{{visible .Name}}</td><td class="{{if .OK}}ok{{else}}bad{{end}}">{{if .State}}{{visible .State}}{{else if .OK}}ok{{else}}down{{end}}</td><td>{{visible .Cause}}{{if .Remedy}}<p><b>What to do:</b> {{visible .Remedy}}</p>{{end}}</td></tr>{{end}}</table>
<p><a href="/readyz">/readyz</a> components as JSON, 503 when not ready<br><a href="/livez">/livez</a> 503 when the process is stuck<br>
<a href="/metrics">/metrics</a> for Prometheus<br><a href="/log-level">/log-level</a> the log level; <code>PUT</code> debug, info, warn or error on this host, for an hour or <code>?for=10m</code></p></html>
`))

func (s *Server) index(w http.ResponseWriter, _ *http.Request) {
	components := s.p.Ready()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = page.Execute(w, map[string]any{"Ready": ready(components), "Trouble": trouble(components), "Version": s.p.Version, "Components": components})
}

// trouble says how many components are not well although the daemon is ready: channels,
// mostly. Empty: all are.
func trouble(components []Component) string {
	n := 0
	for _, c := range components {
		if !c.OK && !c.Decides {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return plural.Verb(n, "part in trouble", "parts in trouble")
}

func (s *Server) livez(w http.ResponseWriter, _ *http.Request) {
	if err := s.p.Live(); err != nil {
		http.Error(w, alert.Visible(err.Error()), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	components := s.p.Ready()
	w.Header().Set("Content-Type", "application/json")
	if !ready(components) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	enc := json.NewEncoder(alert.VisibleJSON(w))
	enc.SetIndent("", "  ")
	_ = enc.Encode(map[string]any{"ready": ready(components), "components": components})
}

func ready(components []Component) bool {
	for _, c := range components {
		if c.Decides && !c.OK {
			return false
		}
	}
	return true
}

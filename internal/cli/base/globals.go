package base

import (
	"strings"

	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/term"
)

// Globals are the flags that every command has, and the streams.
type Globals struct {
	IO         Streams
	ConfigFile string
	Brokers    []string
	Group      string
	Output     string
	LogLevel   string
	InUse      string           // the group, once the configuration is read
	Redactor   *secret.Redactor // nil until then: it knows what credentials look like

	foundSaid bool // which configuration is used
}

// Self is the command as it was started, with the flags that say which cluster
// and group are meant, for the commands we suggest.
func (g *Globals) Self() string {
	text := Self()
	if g.ConfigFile != "" {
		text += " -c " + Quote(g.ConfigFile)
	}
	if len(g.Brokers) > 0 {
		text += " --brokers " + Quote(strings.Join(g.Brokers, ","))
	}
	if g.Group != "" {
		text += " --group " + Quote(g.Group)
	}
	return text
}

func (g *Globals) JSON() bool { return g.Output == "json" }

// Width is the terminal's width; 100 where out is no terminal.
func (g *Globals) Width() int {
	width, _ := term.Size(g.IO.Out)
	return width
}

// Bar returns a progress bar on the terminal; none where there is no terminal.
func (g *Globals) Bar(doing, what string) *term.Bar {
	if !term.IsTerminal(g.IO.Err) {
		return nil
	}
	return term.NewBar(g.IO.Err, doing, what)
}

// Formats is the annotation of a command that knows other outputs than
// text and json.
const Formats = "formats"

// Daemon is the annotation of the commands that are one, whose exit code says
// whether another start can help.
const Daemon = "daemon"

package base

import (
	"regexp"
	"strings"

	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/term"
)

// Globals are the global flags and the streams.
type Globals struct {
	IO         Streams
	ConfigFile string
	Brokers    []string
	Group      string
	Output     string
	LogLevel   string
	InUse      string           // the group, once the configuration is loaded
	Redactor   *secret.Redactor // nil until then: redacts well-known kinds only

	reported bool // which configuration was found
}

// Self returns the program with the flags for cluster and group, for suggested
// commands.
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

// suggested is the beginning of a command in a message, such as 'notifier lag'.
var suggested = regexp.MustCompile(`'notifier ([a-z])`)

// Suggest returns a message whose commands have the flags for cluster and group: most
// packages that suggest one know neither.
func (g *Globals) Suggest(message string) string {
	return suggested.ReplaceAllString(message, "'"+strings.ReplaceAll(g.Self(), "$", "$$")+" $1")
}

func (g *Globals) JSON() bool { return g.Output == "json" }

// Width returns the terminal's width; 100 without a terminal.
func (g *Globals) Width() int {
	width, _ := term.Size(g.IO.Out)
	return width
}

// Bar returns a progress bar; nil, which draws nothing, without a terminal.
func (g *Globals) Bar(doing, what string) *term.Bar {
	if !term.IsTerminal(g.IO.Err) {
		return nil
	}
	return term.NewBar(g.IO.Err, doing, what)
}

// Annotations of commands.
const (
	Formats = "formats" // outputs besides text and json
	Daemon  = "daemon"  // runs the daemon, with the exit codes of sysexits.h
)

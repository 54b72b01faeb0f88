package cli

import (
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/algotrade/notifier/internal/progress"
	"github.com/algotrade/notifier/internal/secret"
)

// globals are the flags that every command has, and the streams.
type globals struct {
	io       stdio
	config   string
	brokers  []string
	group    string
	output   string
	logLevel string
	inUse    string           // the group, once the configuration is read
	redactor *secret.Redactor // nil until then: it knows what credentials look like

	foundSaid bool // which configuration is used
}

// self is the command as it was started, with the flags that say which cluster
// and group are meant, for the commands we suggest.
func (g *globals) self() string {
	text := self()
	if g.config != "" {
		text += " -c " + argument(g.config)
	}
	if len(g.brokers) > 0 {
		text += " --brokers " + argument(strings.Join(g.brokers, ","))
	}
	if g.group != "" {
		text += " --group " + argument(g.group)
	}
	return text
}

func (g *globals) json() bool { return g.output == "json" }

// width is the terminal's width; 100 where out is no terminal.
func (g *globals) width() int {
	if f, ok := g.io.out.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w >= 40 {
			return w
		}
	}
	return 100
}

// colour reports whether standard output wants colours: a terminal, unless
// NO_COLOR is set (https://no-color.org) or it is a dumb one.
func (g *globals) colour() bool {
	return isTerminal(g.io.out) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// bar returns a progress bar on the terminal; none where there is no terminal.
func (g *globals) bar(doing, what string) *progress.Bar {
	if !isTerminal(g.io.err) {
		return nil
	}
	return progress.New(g.io.err, doing, what)
}

// moreFormats is the annotation of a command that knows other outputs than
// text and json.
const moreFormats = "formats"

// isDaemon is the annotation of the commands that are one, whose exit code says
// whether another start can help.
const isDaemon = "daemon"

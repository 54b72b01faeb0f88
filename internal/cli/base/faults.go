package base

import (
	"fmt"

	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Checked is a file that was checked.
type Checked struct {
	File   string
	What   string // the file in the error
	Counts string // what a valid file holds
	Faults yamldoc.Faults
}

// checkedJSON is the JSON of a checked file; the names are a contract.
type checkedJSON struct {
	File   string      `json:"file"`
	Valid  bool        `json:"valid"`
	Faults []faultJSON `json:"faults"`
}

type faultJSON struct {
	File    string       `json:"file"`
	Line    int          `json:"line"` // 0: it has no place in the file
	Column  int          `json:"column"`
	Path    string       `json:"path"`
	Level   string       `json:"level"` // error, warning
	Message string       `json:"message"`
	Kind    yamldoc.Kind `json:"kind"`
}

// WriteChecked prints what was found: as one object, as SARIF, or as lines. It returns an error
// unless all faults are warnings.
func (g *Globals) WriteChecked(c Checked) error {
	if g.Output == "text" {
		if err := g.ReportFaults(c.What, c.Faults); err != nil {
			return err
		}
		fmt.Fprintf(g.IO.Err, "%s is valid: %s\n", term.Visible(c.File), c.Counts)
		return nil
	}
	n := len(c.Faults.Errors())
	if err := g.encodeChecked(c, n == 0); err != nil {
		return err
	}
	if n > 0 {
		return Fail(ExitConfig, "%s has %s", c.What, plural.Count(n, "fault"))
	}
	return nil
}

func (g *Globals) encodeChecked(c Checked, valid bool) error {
	if g.Output == "sarif" {
		return writeSARIF(g.IO.Out, c, g.Redactor)
	}
	j := checkedJSON{File: c.File, Valid: valid, Faults: []faultJSON{}}
	for _, f := range c.Faults {
		j.Faults = append(j.Faults, faultJSON{f.File, f.Line, f.Column, f.Path, level(f), g.Redactor.Redact(f.Message), f.Kind})
	}
	return NewEncoder(g.IO.Out).Encode(j)
}

func level(f yamldoc.Fault) string {
	if f.Warning {
		return "warning"
	}
	return "error"
}

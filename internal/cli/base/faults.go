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
	File    string `json:"file"`
	Line    int    `json:"line"` // 0: it has no place in the file
	Column  int    `json:"column"`
	Path    string `json:"path"`
	Level   string `json:"level"` // error, warning
	Message string `json:"message"`
}

// WriteChecked prints what was found: as one object, or as lines. It returns an error
// unless all faults are warnings.
func (g *Globals) WriteChecked(c Checked) error {
	n := len(c.Faults.Errors())
	if !g.JSON() {
		if err := g.ReportFaults(c.What, c.Faults); err != nil {
			return err
		}
		fmt.Fprintf(g.IO.Err, "%s is valid: %s\n", term.Visible(c.File), c.Counts)
		return nil
	}
	j := checkedJSON{File: c.File, Valid: n == 0, Faults: []faultJSON{}}
	for _, f := range c.Faults {
		level := "error"
		if f.Warning {
			level = "warning"
		}
		j.Faults = append(j.Faults, faultJSON{f.File, f.Line, f.Column, f.Path, level, g.Redactor.Redact(f.Message)})
	}
	if err := NewEncoder(g.IO.Out).Encode(j); err != nil {
		return err
	}
	if n > 0 {
		return Fail(ExitConfig, "%s has %s", c.What, plural.Count(n, "fault"))
	}
	return nil
}

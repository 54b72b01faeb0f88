package cli

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/term"
)

// write prints the tests that failed, and the numbers.
func (s suite) write(g *base.Globals) {
	out := g.IO.Out
	line := func(indent int, text string) {
		for _, l := range term.Wrap(term.Visible(g.Redactor.Redact(text)), max(g.Width()-indent, 40)) {
			fmt.Fprintf(out, "%*s%s\n", indent, "", l)
		}
	}
	for _, r := range s.results {
		if len(r.Failures) == 0 {
			continue
		}
		line(0, fmt.Sprintf("failed: %s (%s:%d)", r.Name, r.Pos.File, r.Pos.Line))
		for _, failure := range r.Failures {
			line(2, failure)
		}
	}
	line(0, fmt.Sprintf("%s: %s, %d failed", s.file, plural.Count(len(s.results), "test"), s.failed()))
	if len(s.untested) > 0 {
		line(0, "rules that no test expects: "+strings.Join(s.untested, ", "))
	}
}

// suiteJSON is the JSON of a suite; the names are a contract.
type suiteJSON struct {
	File     string     `json:"file"`
	Tests    []testJSON `json:"tests"`
	Untested []string   `json:"untested"`
}

type testJSON struct {
	Name     string   `json:"name"`
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Status   string   `json:"status"` // ok, failed
	Rules    []string `json:"rules"`  // that raise an alert
	Failures []string `json:"failures"`
}

func suitesJSON(suites []suite) []suiteJSON {
	list := make([]suiteJSON, len(suites))
	for i, s := range suites {
		list[i] = suiteJSON{File: s.file, Tests: []testJSON{}, Untested: append([]string{}, s.untested...)}
		for _, r := range s.results {
			status := "ok"
			if len(r.Failures) > 0 {
				status = "failed"
			}
			list[i].Tests = append(list[i].Tests, testJSON{r.Name, r.Pos.File, r.Pos.Line, status, append([]string{}, r.Raised...), append([]string{}, r.Failures...)})
		}
	}
	return list
}

type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		File    string        `xml:"file,attr"`
		Line    int           `xml:"line,attr"`
		Failure *junitFailure `xml:"failure"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit writes the results as JUnit's XML, which CI systems read.
func writeJUnit(w io.Writer, suites []suite) error {
	var doc junitSuites
	for _, s := range suites {
		j := junitSuite{Name: s.file, Tests: len(s.results), Failures: s.failed()}
		for _, r := range s.results {
			c := junitCase{Class: s.file, Name: r.Name, File: r.Pos.File, Line: r.Pos.Line}
			if len(r.Failures) > 0 {
				c.Failure = &junitFailure{r.Failures[0], strings.Join(r.Failures, "\n")}
			}
			j.Cases = append(j.Cases, c)
		}
		doc.Suites = append(doc.Suites, j)
	}
	text, err := xml.MarshalIndent(doc, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, text)
	return err
}

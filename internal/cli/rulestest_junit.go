package cli

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string          `xml:"name,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase     `xml:"testcase"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value int    `xml:"value,attr"`
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
		j := junitSuite{Name: s.file, Tests: len(s.results), Failures: s.failed(), Properties: []junitProperty{
			{"rules", s.rules}, {"rules.tested", s.rules - len(s.untested)}, {"branches", len(s.branches)}, {"branches.tested", s.taken()},
		}}
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

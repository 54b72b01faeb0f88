package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/term"
)

// write prints the tests that failed, and the numbers.
func (s *suite) write(g *base.Globals, coverage bool) {
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
			for i, text := range strings.Split(failure, "\n") {
				line(2+2*min(i, 1), text)
			}
		}
	}
	s.writeChanges(g)
	if coverage {
		s.writeBranches(g)
	}
	line(0, fmt.Sprintf("%s: %s, %d failed", s.file, plural.Count(len(s.results), "test"), s.failed()))
	if s.partly {
		return // what the other tests cover is not known
	}
	if len(s.untested) > 0 {
		line(0, "rules that no test expects: "+strings.Join(s.untested, ", "))
	}
	taken := s.taken()
	text := fmt.Sprintf("coverage: %d of %s, %d of %s", s.rules-len(s.untested), plural.Count(s.rules, "rule"), taken, plural.Verb(len(s.branches), "branch", "branches"))
	if taken < len(s.branches) && !coverage {
		text += "; --coverage lists them"
	}
	line(0, text)
}

// taken returns how many branches the tests take.
func (s *suite) taken() (n int) {
	for _, b := range s.branches {
		if b.Events > 0 {
			n++
		}
	}
	return n
}

// writeBranches prints the branches of the rules.
func (s *suite) writeBranches(g *base.Globals) {
	t := term.Table{Head: []string{"EVENTS", "RULE", "BRANCH"}, Right: []int{0}, Elastic: []int{2}}
	for _, b := range s.branches {
		t.Add(strconv.Itoa(b.Events), b.Rule, b.Text)
	}
	if s.failed() > 0 {
		fmt.Fprintln(g.IO.Out)
	}
	t.Write(g.IO.Out, g.Width())
	fmt.Fprintln(g.IO.Out)
}

// suiteJSON is the JSON of a suite; the names are a contract.
type suiteJSON struct {
	File     string       `json:"file"`
	Tests    []testJSON   `json:"tests"`
	Untested []string     `json:"untested"` // rules that no test expects
	Branches []branchJSON `json:"branches"`
}

type branchJSON struct {
	Rule   string `json:"rule"`
	Branch string `json:"branch"`
	Events int    `json:"events"` // of the tests, that take it
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
		list[i] = suiteJSON{File: s.file, Tests: []testJSON{}, Untested: append([]string{}, s.untested...), Branches: []branchJSON{}}
		for _, b := range s.branches {
			list[i].Branches = append(list[i].Branches, branchJSON{b.Rule, b.Text, b.Events})
		}
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

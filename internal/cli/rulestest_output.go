package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/ruletest"
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

	Messages   []messageJSON    `json:"messages,omitempty"`   // of the channels of which the test expects some
	Suppressed []suppressedJSON `json:"suppressed,omitempty"` // if the test expects messages or suppressed alerts
}

type messageJSON struct {
	Channel  string         `json:"channel"`
	After    float64        `json:"after"` // seconds since the clock of the test started
	Severity alert.Severity `json:"severity"`
	State    string         `json:"state"` // firing, resolved, reminder
	Rules    []string       `json:"rules"`
	Members  int            `json:"members"`
	Edit     bool           `json:"edit"`
	Title    string         `json:"title"`
	Text     string         `json:"text"`
}

type suppressedJSON struct {
	Rule     string `json:"rule"`
	Channel  string `json:"channel"`
	Decision string `json:"decision"`
	Count    int    `json:"count"`
}

func newTestJSON(r *ruletest.Result) testJSON {
	t := testJSON{Name: r.Name, File: r.Pos.File, Line: r.Pos.Line, Status: "ok", Rules: append([]string{}, r.Raised...), Failures: append([]string{}, r.Failures...)}
	if len(r.Failures) > 0 {
		t.Status = "failed"
	}
	for _, m := range r.Sent() {
		t.Messages = append(t.Messages, messageJSON{m.Channel, m.After.Seconds(), m.Severity, m.State, m.Rules, m.Members, m.Edit, m.Title, m.Text})
	}
	for _, s := range r.Suppressions() {
		t.Suppressed = append(t.Suppressed, suppressedJSON(s))
	}
	return t
}

func suitesJSON(suites []suite) []suiteJSON {
	list := make([]suiteJSON, len(suites))
	for i, s := range suites {
		list[i] = suiteJSON{File: s.file, Tests: []testJSON{}, Untested: append([]string{}, s.untested...), Branches: []branchJSON{}}
		for _, b := range s.branches {
			list[i].Branches = append(list[i].Branches, branchJSON{b.Rule, b.Text, b.Events})
		}
		for j := range s.results {
			list[i].Tests = append(list[i].Tests, newTestJSON(&s.results[j]))
		}
	}
	return list
}

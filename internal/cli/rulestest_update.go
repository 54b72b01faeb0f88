package cli

import (
	"fmt"
	"os"
	"slices"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/ruletest"
	"github.com/algotrade/notifier/internal/safefile"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// changedFile is a file of tests that --update has written.
type changedFile struct {
	name    string
	changes []yamldoc.Change
}

// updateFiles has the tests of a suite that failed expect what they got. It runs them again
// before it writes anything: if they do not pass then, or if an event could not be read, the
// files stay as they are.
func (f *testFlags) updateFiles(g *base.Globals, l *config.Loaded, samples []configs.Sample, rules source, s *suite) error {
	edits := make(map[string][]yamldoc.Edit)
	for _, r := range s.results {
		if len(r.Failures) == 0 {
			continue
		}
		more, err := r.Edits()
		if err != nil {
			return fmt.Errorf("nothing is updated: %s (%s:%d): %w", r.Name, r.Pos.File, r.Pos.Line, err)
		}
		edits[r.Pos.File] = append(edits[r.Pos.File], more...)
	}
	sources := slices.Clone(s.sources)
	var changed []changedFile
	for i := range sources {
		file := &sources[i]
		if len(edits[file.name]) == 0 {
			continue
		}
		data, changes, err := yamldoc.Apply(file.data, edits[file.name])
		if err != nil {
			return fmt.Errorf("nothing is updated: %s: %w", file.name, err)
		}
		if file.data = data; file.name == rules.name {
			rules.data = data
		}
		changed = append(changed, changedFile{file.name, changes})
	}
	again, err := f.suite(g, l, samples, rules, sources)
	if err != nil {
		return fmt.Errorf("nothing is updated: %w", err)
	}
	if i := slices.IndexFunc(again.results, func(r ruletest.Result) bool { return len(r.Failures) > 0 }); i >= 0 {
		r := again.results[i]
		return fmt.Errorf("nothing is updated: %s (%s:%d) would still fail: %s", r.Name, r.Pos.File, r.Pos.Line, r.Failures[0])
	}
	for _, file := range sources {
		if len(edits[file.name]) > 0 {
			if err := rewrite(file); err != nil {
				return fmt.Errorf("cannot write %s: %w", file.name, safefile.Reason(err))
			}
		}
	}
	*s = *again
	s.changed = changed
	return nil
}

// rewrite replaces a file, with the mode that it has.
func rewrite(file source) error {
	info, err := os.Stat(file.name)
	if err != nil {
		return err
	}
	out, err := safefile.Replace(file.name)
	if err != nil {
		return err
	}
	defer out.Abandon()
	if err := out.Chmod(info.Mode().Perm()); err != nil {
		return err
	}
	if _, err := out.Write(file.data); err != nil {
		return err
	}
	return out.Commit()
}

// writeChanges prints the lines of the files that --update has changed.
func (s *suite) writeChanges(g *base.Globals) {
	line := func(sign, text string) { fmt.Fprintln(g.IO.Out, sign+term.Visible(g.Redactor.Redact(text))) }
	for _, file := range s.changed {
		next := 0
		for _, c := range file.changes {
			if c.Line != next {
				line("", fmt.Sprintf("%s:%d", file.name, c.Line))
			}
			next = c.Line + len(c.Old)
			for _, text := range c.Old {
				line("- ", text)
			}
			for _, text := range c.New {
				line("+ ", text)
			}
		}
		line("", file.name+" is updated")
	}
}

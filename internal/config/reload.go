package config

import (
	"crypto/sha256"

	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Files are digests of the contents of notifier.yaml and rules.yaml.
type Files struct{ Config, Rules [sha256.Size]byte }

// LoadedFiles returns the files as they were when they were loaded.
func (l *Loaded) LoadedFiles() Files { return l.files }

// ReadFiles returns the files as they are now. The error names the one that cannot be
// read. It is not to be called for the embedded configuration.
func (l *Loaded) ReadFiles() (Files, error) {
	config, err := l.reader()(l.File)
	if err != nil {
		return Files{}, cannotRead(l.File, err)
	}
	rules, _, err := l.readRules()
	return Files{Config: sha256.Sum256(config), Rules: sha256.Sum256(rules)}, err
}

// ReloadRules compiles the rules file as it is now, for the channels and samples of the
// loaded configuration, and returns its digest. The set can be used if no fault is an
// error.
func (l *Loaded) ReloadRules() (*rule.Set, [sha256.Size]byte, yamldoc.Faults, error) {
	data, name, err := l.readRules()
	if err != nil {
		return nil, [sha256.Size]byte{}, nil, err
	}
	set, faults := l.CompileRules(name, data)
	return set, sha256.Sum256(data), faults, nil
}

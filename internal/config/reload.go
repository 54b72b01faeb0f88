package config

import (
	"crypto/sha256"
	"slices"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Files are digests of the contents of notifier.yaml, rules.yaml and the schemas.
type Files struct{ Config, Rules, Schemas [sha256.Size]byte }

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
	return Files{Config: sha256.Sum256(config), Rules: sha256.Sum256(rules), Schemas: l.schemasNow()}, err
}

// Reloaded are rules and schemas that were read again.
type Reloaded struct {
	Rules  *rule.Set
	Checks map[string]event.Check // of the topics
	Files  Files                  // without Config
}

// Reload reads the schemas and compiles the rules file as they are now, for the channels
// and samples of the loaded configuration. The result can be used if no fault is an
// error.
func (l *Loaded) Reload() (Reloaded, yamldoc.Faults, error) {
	data, name, err := l.readRules()
	if err != nil {
		return Reloaded{}, nil, err
	}
	schemas, faults := l.loadSchemas()
	before := l.Schemas.files
	l.Schemas = schemas
	if len(faults.Errors()) > 0 { // some of the files may not have been read
		l.Schemas.files = append(slices.Clip(before), schemas.files...)
		schemas.sum = l.schemasNow()
	}
	set, found := l.CompileRules(name, data)
	return Reloaded{Rules: set, Checks: l.Checks(), Files: Files{Rules: sha256.Sum256(data), Schemas: schemas.sum}}, append(faults, found...), nil
}

package base

import (
	"encoding/json"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// The objects of SARIF 2.1.0 (OASIS) that are written, which code scanning of GitHub and
// others read. Kinds of faults are its rules.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID    yamldoc.Kind `json:"id"`
		Short sarifText    `json:"shortDescription"`
	}
	sarifResult struct {
		Rule      yamldoc.Kind    `json:"ruleId"`
		Index     int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		Line   int `json:"startLine"`
		Column int `json:"startColumn"`
	}
	sarifLogical struct {
		Name string `json:"fullyQualifiedName"`
	}
)

// writeSARIF writes the faults as SARIF. Paths are relative to the working directory, which
// in CI is that of the repository. A fault without a place in a file is in the first line
// of the checked one.
func writeSARIF(w io.Writer, c Checked, redactor *secret.Redactor) error {
	run := sarifRun{ColumnKind: "unicodeCodePoints", Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "notifier", Version: Built().Version}
	index := make(map[yamldoc.Kind]int)
	for i, k := range yamldoc.Kinds() {
		index[k.Kind] = i
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{k.Kind, sarifText{k.Text}})
	}
	for _, f := range c.Faults {
		message := redactor.Redact(f.Message)
		if f.Path != "" {
			message = f.Path + ": " + message
		}
		at := sarifLocation{Physical: sarifPhysical{sarifArtifact{sarifURI(f.File)}, sarifRegion{f.Line, max(f.Column, 1)}}}
		if f.Line == 0 {
			at.Physical = sarifPhysical{sarifArtifact{sarifURI(c.File)}, sarifRegion{1, 1}}
		}
		if f.Path != "" {
			at.Logical = []sarifLogical{{f.Path}}
		}
		run.Results = append(run.Results, sarifResult{f.Kind, index[f.Kind], level(f), sarifText{message}, []sarifLocation{at}})
	}
	enc := json.NewEncoder(alert.VisibleJSON(w))
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
}

// sarifURI returns a file as a URI: relative to the working directory if it is below it.
func sarifURI(file string) string {
	dir, err := os.Getwd()
	if err != nil || !filepath.IsAbs(file) && !strings.HasPrefix(filepath.Clean(file), "..") {
		return (&url.URL{Path: filepath.ToSlash(filepath.Clean(file))}).String()
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(dir, file)
	}
	if rel, err := filepath.Rel(dir, file); err == nil && !strings.HasPrefix(rel, "..") {
		return (&url.URL{Path: filepath.ToSlash(rel)}).String()
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(file)}).String()
}

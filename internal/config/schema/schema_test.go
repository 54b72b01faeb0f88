package schema_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/algotrade/notifier/internal/config/schema"
)

var update = flag.Bool("update", false, "write the schemas")

const root = "../../.."

var files = map[string]func(root string) *schema.Schema{
	"notifier": schema.Notifier, "rules": schema.Rules, "rules.test": schema.Tests,
}

// TestWrittenSchemasAreThoseOfTheTypes: after a change of keys or of their comments, run it
// with -update.
func TestWrittenSchemasAreThoseOfTheTypes(t *testing.T) {
	for name, of := range files {
		file := filepath.Join(root, "configs", "editor", name+".schema.json")
		want := of(root).JSON()
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not up to date (%v): go test ./internal/config/schema -update", file, err)
		}
	}
}

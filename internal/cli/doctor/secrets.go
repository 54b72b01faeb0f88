package doctor

import (
	"os"
	"regexp"
	"strings"
)

// secretName is what environment variables are called that hold secrets.
var secretName = regexp.MustCompile(`(?i)(secret|token|passw|credential|api_?key|private|webhook|hook_url|dsn|sasl)`)

// secretsOfEnvironment returns what looks like a secret in this process's
// environment, whoever uses it.
func secretsOfEnvironment() []string {
	const shortest = 8 // "true" is none, nor is where a secret's file is
	var all []string
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		if secretName.MatchString(name) && len(value) >= shortest && !strings.HasPrefix(value, "/") {
			all = append(all, value)
		}
	}
	return all
}

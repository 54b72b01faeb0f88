package doctor

import (
	"os"
	"regexp"
	"strings"
)

// secretName matches the names of environment variables with secrets.
var secretName = regexp.MustCompile(`(?i)(secret|token|passw|credential|api_?key|routing_?key|private|webhook|hook_url|dsn|sasl)`)

// secretsOfEnvironment returns the probable secrets in the environment.
func secretsOfEnvironment() []string {
	const shortest = 8 // bytes; "true" is not a secret, nor is a path
	var all []string
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		if secretName.MatchString(name) && len(value) >= shortest && !strings.HasPrefix(value, "/") {
			all = append(all, value)
		}
	}
	return all
}

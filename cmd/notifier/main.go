// Command notifier turns events on Kafka into alerts for people and machines.
package main

import (
	_ "time/tzdata" // containers have no zone files; rules name time zones

	_ "golang.org/x/crypto/x509roots/fallback" // nor certificates; a system's own come first

	"github.com/algotrade/notifier/internal/cli"
)

func main() { cli.Main() }

package cli

import "github.com/algotrade/notifier/internal/lag"

// lagNote is how bad a row is, and what there is to say of it.
type lagNote struct {
	mark  lag.Mark
	notes []string
}

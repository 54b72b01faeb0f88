package lag

import "github.com/algotrade/notifier/internal/lag"

// note is how bad a row is, and what there is to say of it.
type note struct {
	mark  lag.Mark
	notes []string
}

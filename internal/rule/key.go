package rule

import (
	"regexp"
	"strings"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/expr"
	"github.com/algotrade/notifier/internal/expr/calc"
)

// parts returns the parts of a key. A missing one is empty.
func parts(sc *expr.Scope, expressions []expr.Expression) []string {
	list := make([]string, len(expressions))
	for i, e := range expressions {
		if v := e.Eval(sc); !calc.IsAbsent(v) {
			list[i] = calc.DisplayAll(&sc.Meter, v)
		}
	}
	return list
}

// keyPath is a key part that is a path of the event.
var keyPath = regexp.MustCompile(`^event\.([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)$`)

// keyName returns how a silence names a part of the key: its path without "event."; empty:
// it is no path.
func keyName(source string) string {
	if m := keyPath.FindStringSubmatch(strings.TrimSpace(source)); m != nil && len(m[1]) <= alert.MaxID {
		return m[1]
	}
	return ""
}

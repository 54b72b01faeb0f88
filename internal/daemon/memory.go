package daemon

import (
	"log/slog"
	"math"
	"os"
	"runtime/debug"

	"github.com/dustin/go-humanize"

	"github.com/algotrade/notifier/internal/memlimit"
)

// LimitMemory sets the runtime's soft memory limit until undo is called: $GOMEMLIMIT, else
// that of the control group, else fallback, in bytes; 0: none.
func LimitMemory(log *slog.Logger, fallback int64) (undo func()) {
	before := debug.SetMemoryLimit(-1)
	limit, source := memlimit.Set(os.DirFS("/"), os.Getenv, fallback)
	text := "none"
	if limit < math.MaxInt64 {
		text = humanize.IBytes(uint64(limit))
	}
	log.Info("memory limit", "limit", text, "source", source)
	return func() { debug.SetMemoryLimit(before) }
}

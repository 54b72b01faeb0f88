package cli

import (
	"math"
	"os"
	"runtime/debug"

	"github.com/dustin/go-humanize"

	"github.com/algotrade/notifier/internal/memlimit"
)

// limitMemory tells the runtime how much memory this process may use, until undo
// is called. fallback is what it is told where neither a person nor a control
// group sets a limit; 0: nothing.
func (s *setup) limitMemory(fallback int64) (undo func()) {
	before := debug.SetMemoryLimit(-1)
	limit, source := memlimit.Set(os.DirFS("/"), os.Getenv, fallback)
	text := "none"
	if limit < math.MaxInt64 {
		text = humanize.IBytes(uint64(limit))
	}
	s.log.Info("memory limit", "limit", text, "source", source)
	return func() { debug.SetMemoryLimit(before) }
}

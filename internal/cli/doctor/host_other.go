//go:build !linux

package doctor

import "github.com/algotrade/notifier/internal/check"

func openFilesLimit() (soft uint64, known bool) { return 0, false }

func freeBytes(string) (free uint64, known bool) { return 0, false }

func synchronised() check.Result {
	return check.Skipf("synchronisation", "only checked on Linux")
}

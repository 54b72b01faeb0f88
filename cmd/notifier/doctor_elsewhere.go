//go:build !linux

package main

import "github.com/algotrade/notifier/internal/finding"

func openFilesLimit() (soft uint64, known bool) { return 0, false }

func freeBytes(string) (free uint64, known bool) { return 0, false }

func synchronised() finding.Finding {
	return finding.Skipf("synchronisation", "only Linux is asked")
}

package doctor

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/algotrade/notifier/internal/check"
)

// openFilesLimit returns the soft limit of open files.
func openFilesLimit() (soft uint64, known bool) {
	var l unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l)
	return l.Cur, err == nil
}

func freeBytes(dir string) (free uint64, known bool) {
	var s unix.Statfs_t
	err := unix.Statfs(dir, &s)
	return s.Bavail * uint64(s.Bsize), err == nil
}

// synchronised reads the kernel's synchronisation state (adjtimex(2)). It is a warning at most: chrony
// without rtcsync and hosts of virtual machines do not set it.
func synchronised() check.Result {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	switch {
	case err != nil:
		return check.Skipf("synchronisation", "unknown: %v", err)
	case state == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0:
		return check.Warnf("synchronisation", "check with 'timedatectl timesync-status' or 'chronyc tracking'",
			"the kernel's clock is not marked as synchronised")
	}
	return check.Okf("synchronisation", "synchronised within %s", (time.Duration(t.Esterror) * time.Microsecond).Round(time.Millisecond))
}

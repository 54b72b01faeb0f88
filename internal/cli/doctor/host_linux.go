package doctor

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/algotrade/notifier/internal/check"
)

// openFilesLimit is how many files this process may have open.
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

// synchronised asks the kernel whether its clock is kept (adjtimex(2)). Some
// daemons keep it without telling the kernel, chrony without rtcsync among them,
// and so does the host of a virtual machine: it is a warning at most.
func synchronised() check.Result {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	switch {
	case err != nil:
		return check.Skipf("synchronisation", "the kernel does not say: %v", err)
	case state == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0:
		return check.Warnf("synchronisation", "look with 'timedatectl timesync-status' or 'chronyc tracking'",
			"the kernel does not know of anything that keeps its clock")
	}
	return check.Okf("synchronisation", "kept, to within %s", (time.Duration(t.Esterror) * time.Microsecond).Round(time.Millisecond))
}

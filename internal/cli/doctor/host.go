package doctor

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/memlimit"
	"github.com/algotrade/notifier/internal/safefile"
)

// checkHost checks this host's limits, for this command and a notifier started in the same way.
func (d *doctor) checkHost(context.Context) []check.Result {
	found := []check.Result{check.Okf("processors", "%d of %d, %s/%s", runtime.GOMAXPROCS(0), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)}
	found = append(found, d.openFiles()...)
	found = append(found, d.memory())
	return append(found, temporary())
}

// openFiles compares the limit with the need: six clients with two connections to each broker, and the
// channels' concurrency.
func (d *doctor) openFiles() []check.Result {
	soft, known := openFilesLimit()
	if !known {
		return nil
	}
	need := uint64(64 + 12*max(len(d.cluster.config.Brokers), 3))
	if d.config != nil {
		for _, name := range d.config.Channels.Names() {
			need += uint64(d.config.Channels.Get(name).Dispatch.Concurrency)
		}
	}
	if soft < 2*need {
		return []check.Result{check.Warnf("open files", "ulimit -n 65536, or LimitNOFILE=65536 in the unit", "the limit is %d, this configuration needs up to %d", soft, need)}
	}
	return []check.Result{check.Okf("open files", "the limit is %s", humanize.Comma(int64(soft)))}
}

// memory compares the memory limit with the need of the window.
func (d *doctor) memory() check.Result {
	window := d.cluster.config.Window.Bytes
	need := uint64(d.cluster.config.Window.Memory())
	limit, by := memoryLimit()
	text := "the limit is unknown"
	if limit > 0 {
		text = fmt.Sprintf("%s (%s)", humanize.IBytes(limit), by)
	}
	text += fmt.Sprintf("; kafka.window.bytes of %s needs up to %s", humanize.IBytes(uint64(window)), humanize.IBytes(need))
	if soft := debug.SetMemoryLimit(-1); soft < 1<<60 {
		text += ", GOMEMLIMIT is " + humanize.IBytes(uint64(soft))
	}
	if limit > 0 && limit < need {
		return check.Warnf("memory", "increase the limit, or reduce kafka.window.bytes", "%s", text)
	}
	return check.Okf("memory", "%s", text)
}

// memoryLimit returns the control group's limit, else the host's memory; 0: unknown.
func memoryLimit() (limit uint64, by string) {
	if bytes, _, ok := memlimit.Cgroup(os.DirFS("/")); ok {
		return uint64(bytes), "limit of the control group"
	}
	info, _ := os.ReadFile("/proc/meminfo")
	for line := range strings.Lines(string(info)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "MemTotal:" {
			kib, _ := strconv.ParseUint(fields[1], 10, 64)
			return kib << 10, "memory of the host"
		}
	}
	return 0, ""
}

// fewBytes is the minimum free space for temporary files.
const fewBytes = 64 << 20

func temporary() check.Result {
	dir := os.TempDir()
	f, err := os.CreateTemp(dir, "notifier-doctor-")
	if err != nil {
		return check.Warnf("temporary files", "set TMPDIR to a writable directory", "%s is not writable: %v", dir, safefile.Reason(err))
	}
	_ = f.Close()
	_ = os.Remove(f.Name())
	free, known := freeBytes(dir)
	if !known {
		return check.Okf("temporary files", "%s is writable", dir)
	}
	if free < fewBytes {
		return check.Warnf("temporary files", "free space, or set TMPDIR", "%s free in %s", humanize.IBytes(free), dir)
	}
	return check.Okf("temporary files", "%s free in %s", humanize.IBytes(free), dir)
}

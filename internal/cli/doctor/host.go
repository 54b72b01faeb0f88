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
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/memlimit"
)

// lookAtHost looks at what this host allows: of this command, and so of a
// notifier that is started in the same way. The running one's own use is said
// below it.
func (d *doctor) lookAtHost(context.Context) []check.Result {
	found := []check.Result{check.Okf("processors", "%d of %d, %s/%s", runtime.GOMAXPROCS(0), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)}
	found = append(found, d.openFiles()...)
	found = append(found, d.memory())
	return append(found, temporary())
}

// openFiles compares the limit with what a notifier of this configuration opens:
// six clients with two connections to each broker, and what channels send at once.
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
		return []check.Result{check.Warnf("open files", "ulimit -n 65536, or LimitNOFILE=65536 in the unit", "%d may be open, a notifier of this configuration opens up to %d", soft, need)}
	}
	return []check.Result{check.Okf("open files", "%s may be open", humanize.Comma(int64(soft)))}
}

// memory compares what this process may use with what the window may take.
func (d *doctor) memory() check.Result {
	window := d.cluster.config.Window.Bytes
	need := uint64(d.cluster.config.Window.Memory())
	limit, by := memoryLimit()
	text := fmt.Sprintf("no limit is known; kafka.window.bytes of %s may take %s", humanize.IBytes(uint64(window)), humanize.IBytes(need))
	if limit > 0 {
		text = fmt.Sprintf("%s (%s); kafka.window.bytes of %s may take %s", humanize.IBytes(limit), by, humanize.IBytes(uint64(window)), humanize.IBytes(need))
	}
	if soft := debug.SetMemoryLimit(-1); soft < 1<<60 {
		text += ", GOMEMLIMIT is " + humanize.IBytes(uint64(soft))
	}
	if limit > 0 && limit < need {
		return check.Warnf("memory", "give it more, or set a smaller kafka.window.bytes", "%s", text)
	}
	return check.Okf("memory", "%s", text)
}

// memoryLimit is the smallest limit of the control groups that this process is
// in, else what the host has; 0: it is not known.
func memoryLimit() (limit uint64, by string) {
	if bytes, _, ok := memlimit.Cgroup(os.DirFS("/")); ok {
		return uint64(bytes), "limit of its control group"
	}
	info, _ := os.ReadFile("/proc/meminfo")
	for line := range strings.Lines(string(info)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "MemTotal:" {
			kib, _ := strconv.ParseUint(fields[1], 10, 64)
			return kib << 10, "of the host"
		}
	}
	return 0, ""
}

// fewBytes is how much has to be free where temporary files are made.
const fewBytes = 64 << 20

func temporary() check.Result {
	dir := os.TempDir()
	f, err := os.CreateTemp(dir, "notifier-doctor-")
	if err != nil {
		return check.Warnf("temporary files", "set TMPDIR to a directory that can be written to", "none can be made in %s: %v", dir, base.Bare(err))
	}
	_ = f.Close()
	_ = os.Remove(f.Name())
	free, known := freeBytes(dir)
	if !known {
		return check.Okf("temporary files", "%s can be written to", dir)
	}
	if free < fewBytes {
		return check.Warnf("temporary files", "make room, or set TMPDIR", "%s are left in %s", humanize.IBytes(free), dir)
	}
	return check.Okf("temporary files", "%s are left in %s", humanize.IBytes(free), dir)
}

// Package memlimit sets the Go runtime's memory limit from the control group, so
// that it collects garbage before the kernel kills the process.
package memlimit

import (
	"io/fs"
	"math"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// share is the part of a control group's limit that the runtime may use. The rest is
// for memory outside of it, such as the binary and kernel buffers.
const share = 0.9

// Set sets the runtime's soft memory limit (runtime/debug.SetMemoryLimit) and returns
// it with its source: GOMEMLIMIT, else nine tenths of the control group's limit, else
// fallback; 0: none. root is the root of the file system.
func Set(root fs.FS, getenv func(string) string, fallback int64) (limit int64, source string) {
	if getenv("GOMEMLIMIT") != "" { // already applied by the runtime
		return debug.SetMemoryLimit(-1), "GOMEMLIMIT"
	}
	limit, source = fallback, "kafka.window.bytes"
	if fallback == 0 {
		limit, source = math.MaxInt64, ""
	}
	if bytes, file, ok := Cgroup(root); ok {
		limit, source = int64(share*float64(bytes)), file
	}
	debug.SetMemoryLimit(limit)
	return limit, source
}

// Cgroup returns the smallest memory limit of the process's control groups and their
// parents, and its file: memory.max or memory.high of version 2,
// memory.limit_in_bytes of version 1 (cgroups(7)). ok is false if there is none.
func Cgroup(root fs.FS) (bytes int64, file string, ok bool) {
	own, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0, "", false
	}
	bytes = noLimit
	search := func(mount, group string, names ...string) {
		for dir := path.Clean("/" + group); ; dir = path.Dir(dir) {
			for _, name := range names {
				f := path.Join(mount, dir, name)
				if n, found := read(root, f); found && n < bytes {
					bytes, file, ok = n, "/"+f, true
				}
			}
			if dir == "/" {
				return
			}
		}
	}
	for line := range strings.Lines(string(own)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3) // number, controllers, path
		switch {
		case len(fields) < 3:
		case fields[0] == "0" && fields[1] == "":
			search("sys/fs/cgroup", fields[2], "memory.max", "memory.high")
			search("sys/fs/cgroup/unified", fields[2], "memory.max", "memory.high") // beside version 1
		case fields[1] == "memory":
			search("sys/fs/cgroup/memory", fields[2], "memory.limit_in_bytes")
		}
	}
	return bytes, file, ok
}

// noLimit is the value of version 1 for no limit, rounded down by any page size.
const noLimit = math.MaxInt64 - 1<<20

// read returns the number in a file; false if it is "max" or the file does not exist,
// as in a container, whose own group is the root.
func read(root fs.FS, file string) (int64, bool) {
	text, err := fs.ReadFile(root, file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil && n > 0
}

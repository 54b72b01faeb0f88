// Package memlimit tells the Go runtime how much memory this process may use, so
// that it collects garbage before the kernel ends the process.
package memlimit

import (
	"io/fs"
	"math"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// share is how much of a control group's limit the runtime is told: the rest is
// for what it does not know of, such as the program itself and the kernel's
// buffers.
const share = 0.9

// Set sets the runtime's soft memory limit, and returns it and where it is from:
// GOMEMLIMIT, if that is set, else nine tenths of the limit of the control groups
// that the process is in, else fallback; 0: none. root is the root of the file
// system.
//
// The limit is soft. When what is live comes near it, the runtime collects more
// often, for at most half of the CPU time, and lets memory grow beyond it rather
// than take more (runtime/debug.SetMemoryLimit).
func Set(root fs.FS, getenv func(string) string, fallback int64) (limit int64, source string) {
	if getenv("GOMEMLIMIT") != "" { // the runtime has read it
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

// Cgroup returns the smallest memory limit of the control groups that this
// process is in, their parents included, and the file that says so: memory.max
// and memory.high of version 2 and memory.limit_in_bytes of version 1
// (cgroups(7)). It reports false where there is none. root is the root of the
// file system.
func Cgroup(root fs.FS) (bytes int64, file string, ok bool) {
	own, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0, "", false
	}
	bytes = noLimit
	look := func(mount, group string, names ...string) {
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
			look("sys/fs/cgroup", fields[2], "memory.max", "memory.high")
			look("sys/fs/cgroup/unified", fields[2], "memory.max", "memory.high") // beside version 1
		case fields[1] == "memory":
			look("sys/fs/cgroup/memory", fields[2], "memory.limit_in_bytes")
		}
	}
	return bytes, file, ok
}

// noLimit is what version 1 says where there is none, less a page of any size.
const noLimit = math.MaxInt64 - 1<<20

// read returns the number in a file; false where it says max, or does not exist:
// a container sees its own group as the root, whatever its path is.
func read(root fs.FS, file string) (int64, bool) {
	text, err := fs.ReadFile(root, file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil && n > 0
}

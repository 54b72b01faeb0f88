package memlimit_test

import (
	"math"
	"runtime/debug"
	"testing"
	"testing/fstest"

	"github.com/algotrade/notifier/internal/memlimit"
)

func files(named map[string]string) fstest.MapFS {
	root := make(fstest.MapFS)
	for name, text := range named {
		root[name] = &fstest.MapFile{Data: []byte(text + "\n")}
	}
	return root
}

func TestCgroupReturnsSmallestLimit(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		bytes int64
		file  string
	}{
		"no control groups": {map[string]string{}, 0, ""},
		"no limit": {map[string]string{
			"proc/self/cgroup": "0::/system.slice/notifier.service", "sys/fs/cgroup/system.slice/notifier.service/memory.max": "max",
			"sys/fs/cgroup/system.slice/notifier.service/memory.high": "max",
		}, 0, ""},
		"version 2": {map[string]string{
			"proc/self/cgroup": "0::/system.slice/notifier.service", "sys/fs/cgroup/system.slice/notifier.service/memory.max": "536870912",
		}, 512 << 20, "/sys/fs/cgroup/system.slice/notifier.service/memory.max"},
		"memory.high below memory.max": {map[string]string{
			"proc/self/cgroup": "0::/a", "sys/fs/cgroup/a/memory.max": "536870912", "sys/fs/cgroup/a/memory.high": "402653184",
		}, 384 << 20, "/sys/fs/cgroup/a/memory.high"},
		"a parent's": {map[string]string{
			"proc/self/cgroup": "0::/pods/a/b", "sys/fs/cgroup/pods/a/b/memory.max": "max", "sys/fs/cgroup/pods/memory.max": "1000000000", "sys/fs/cgroup/pods/a/memory.max": "2000000000",
		}, 1e9, "/sys/fs/cgroup/pods/memory.max"},
		"a container that sees its own group as the root": {map[string]string{
			"proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": "268435456",
		}, 256 << 20, "/sys/fs/cgroup/memory.max"},
		"a path out of the namespace": {map[string]string{
			"proc/self/cgroup": "0::/../other", "sys/fs/cgroup/memory.max": "268435456",
		}, 256 << 20, "/sys/fs/cgroup/memory.max"},
		"version 1": {map[string]string{
			"proc/self/cgroup": "11:cpu,cpuacct:/docker/c0ffee\n4:memory:/docker/c0ffee\n1:name=systemd:/docker/c0ffee",
			"sys/fs/cgroup/memory/docker/c0ffee/memory.limit_in_bytes": "300000000", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
		}, 3e8, "/sys/fs/cgroup/memory/docker/c0ffee/memory.limit_in_bytes"},
		"version 1 in a container": {map[string]string{
			"proc/self/cgroup": "4:memory:/docker/c0ffee", "sys/fs/cgroup/memory/memory.limit_in_bytes": "300000000",
		}, 3e8, "/sys/fs/cgroup/memory/memory.limit_in_bytes"},
		"version 1 without a limit, 64 KiB pages": {map[string]string{
			"proc/self/cgroup": "4:memory:/", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854710272",
		}, 0, ""},
		"both": {map[string]string{
			"proc/self/cgroup": "4:memory:/a\n0::/b", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "300000000", "sys/fs/cgroup/unified/b/memory.high": "200000000",
		}, 2e8, "/sys/fs/cgroup/unified/b/memory.high"},
		"nonsense": {map[string]string{
			"proc/self/cgroup": "what\n0::/a", "sys/fs/cgroup/a/memory.max": "much", "sys/fs/cgroup/a/memory.high": "-5", "sys/fs/cgroup/memory.max": "0",
		}, 0, ""},
	} {
		bytes, file, ok := memlimit.Cgroup(files(test.files))
		if !ok {
			bytes = 0
		}
		if bytes != test.bytes || file != test.file || ok != (test.file != "") {
			t.Errorf("%s: %d, %q, %v", name, bytes, file, ok)
		}
	}
}

func TestSetSetsRuntimeLimit(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	limited := files(map[string]string{"proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": "1000000000"})
	none := func(string) string { return "" }
	for name, test := range map[string]struct {
		root     fstest.MapFS
		getenv   func(string) string
		fallback int64
		limit    int64
		source   string
	}{
		"nine tenths of the control group's": {limited, none, 256 << 20, 9e8, "/sys/fs/cgroup/memory.max"},
		"no control group":                   {files(nil), none, 256 << 20, 256 << 20, "kafka.window.bytes"},
		"nothing to go by":                   {files(nil), none, 0, math.MaxInt64, ""},
		"a person's":                         {limited, func(string) string { return "1GiB" }, 256 << 20, math.MaxInt64, "GOMEMLIMIT"},
	} {
		debug.SetMemoryLimit(math.MaxInt64) // as the runtime would have read it
		limit, source := memlimit.Set(test.root, test.getenv, test.fallback)
		if limit != test.limit || source != test.source || debug.SetMemoryLimit(-1) != test.limit {
			t.Errorf("%s: %d from %q, the runtime has %d", name, limit, source, debug.SetMemoryLimit(-1))
		}
	}
}

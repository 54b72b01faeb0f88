//go:build unix

package config

import (
	"io/fs"
	"syscall"
)

// noFollow opens no symbolic link, which is errLink, and waits for nobody who
// would write to a pipe.
const noFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

var errLink = syscall.ELOOP

// ownerOf returns who a file belongs to.
func ownerOf(info fs.FileInfo) (uid, gid int, known bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(s.Uid), int(s.Gid), true
}

//go:build unix

package config

import (
	"io/fs"
	"syscall"
)

// noFollow fails with errLink on a symbolic link and does not block on a pipe.
const noFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

var errLink = syscall.ELOOP

// ownerOf returns the owner of a file.
func ownerOf(info fs.FileInfo) (uid, gid int, known bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(s.Uid), int(s.Gid), true
}

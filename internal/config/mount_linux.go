package config

import "golang.org/x/sys/unix"

// isReadOnly reports whether a file is on a read-only mount.
func isReadOnly(name string) bool {
	var s unix.Statfs_t
	return unix.Statfs(name, &s) == nil && s.Flags&unix.ST_RDONLY != 0
}

package config

import "golang.org/x/sys/unix"

// isReadOnly reports whether a file is on a mount that nobody here can write to,
// as what a container is given often is.
func isReadOnly(name string) bool {
	var s unix.Statfs_t
	return unix.Statfs(name, &s) == nil && s.Flags&unix.ST_RDONLY != 0
}

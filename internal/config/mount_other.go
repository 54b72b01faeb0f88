//go:build !linux

package config

func isReadOnly(string) bool { return false }

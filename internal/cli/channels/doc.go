// Package channels is the command channels: where alerts go is listed, tried and
// moved.
package channels

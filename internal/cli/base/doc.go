// Package base is what the commands share: streams, the flags that every one
// has, exit codes, confirmation, the configuration and connections.
package base

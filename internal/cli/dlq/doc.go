// Package dlq is the command dlq: dead letters are listed, shown, replayed,
// discarded, exported and imported.
package dlq

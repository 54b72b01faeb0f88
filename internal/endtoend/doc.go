// Package endtoend holds the test that no package can have alone: both stages
// together, while members of their groups come and go. The test runs on a fake
// clock with an in-process broker and needs the build tag synctests, under
// which kgo blocks in a way that testing/synctest understands.
package endtoend

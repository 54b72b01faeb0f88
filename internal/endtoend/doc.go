// Package endtoend has the tests that need more than one package: whole daemons,
// started by daemon.New as the command does, that come and go while everything
// around them fails. They run on a fake clock with an in-process broker and need the
// build tag synctests, under which kgo blocks in a way that testing/synctest
// understands. Start reading at faults_test.go: a trial is a broker with processes,
// disturb_test.go has the faults, history_test.go what happened, and
// happenings_test.go and contract_test.go the checks of that.
package endtoend

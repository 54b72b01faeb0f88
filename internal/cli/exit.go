package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// stdio are the streams a command works with: data on out, words on err.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

var errSignal = errors.New("stopped by a signal")

// Exit codes are a contract with scripts and with the systemd unit. 69, 77 and
// 78 come from sysexits.h and are the daemon's alone; see also internal/kafka.
const (
	exitDone        = 0
	exitFailed      = 1
	exitMisused     = 2
	exitConfig      = 78  // the configuration is wrong
	exitInterrupted = 130 // a second signal
)

// exitError carries an exit code. Its text may be empty: everything is said.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }

func (e *exitError) Unwrap() error { return e.err }

func (e *exitError) ExitCode() int { return e.code }

func fail(code int, format string, args ...any) error {
	return &exitError{code: code, err: fmt.Errorf(format, args...)}
}

func misused(format string, args ...any) error { return fail(exitMisused, format, args...) }

// self is the command as it was started, for the commands we suggest.
func self() string {
	exe, err := os.Executable()
	if err == nil && strings.Contains(exe, "go-build") && !strings.HasSuffix(exe, ".test") {
		return "go run ./cmd/notifier"
	}
	return "notifier"
}

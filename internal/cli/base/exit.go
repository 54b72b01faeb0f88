package base

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Streams are the streams a command works with: data on out, words on err.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

var ErrSignal = errors.New("stopped by a signal")

// Exit codes are a contract with scripts and with the systemd unit. 69, 77 and
// 78 come from sysexits.h and are the daemon's alone; see also internal/kafka.
const (
	ExitDone        = 0
	ExitFailed      = 1
	ExitMisused     = 2
	ExitConfig      = 78  // the configuration is wrong
	ExitInterrupted = 130 // a second signal
)

// ExitError carries an exit code. Its text may be empty: everything is said.
type ExitError struct {
	Code int
	Err  error
}

func (e *ExitError) Error() string { return e.Err.Error() }

func (e *ExitError) Unwrap() error { return e.Err }

func (e *ExitError) ExitCode() int { return e.Code }

func Fail(code int, format string, args ...any) error {
	return &ExitError{Code: code, Err: fmt.Errorf(format, args...)}
}

func Misused(format string, args ...any) error { return Fail(ExitMisused, format, args...) }

// Self is the command as it was started, for the commands we suggest.
func Self() string {
	exe, err := os.Executable()
	if err == nil && strings.Contains(exe, "go-build") && !strings.HasSuffix(exe, ".test") {
		return "go run ./cmd/notifier"
	}
	return "notifier"
}

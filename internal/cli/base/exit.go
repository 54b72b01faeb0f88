package base

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Streams are a command's streams: data on Out, messages on Err.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

var ErrSignal = errors.New("stopped by a signal")

// Exit codes, a contract with scripts and the systemd unit. 69, 77 (internal/kafka)
// and 78 come from sysexits.h; only the daemon uses them.
const (
	ExitDone        = 0
	ExitFailed      = 1
	ExitMisused     = 2
	ExitConfig      = 78  // the configuration is wrong
	ExitInterrupted = 130 // a second signal
)

// ExitError carries an exit code.
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

// Self returns the program as it was started, for suggested commands.
func Self() string {
	exe, err := os.Executable()
	if err == nil && strings.Contains(exe, "go-build") && !strings.HasSuffix(exe, ".test") {
		return "go run ./cmd/notifier"
	}
	return "notifier"
}

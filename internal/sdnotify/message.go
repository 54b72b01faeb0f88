package sdnotify

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Status sends one line that says what the process is doing; `systemctl status`
// shows it. Errors are ignored: they are no reason to fail.
func Status(text string) { _ = send(status(text)) }

// Starting sends what a start is doing, and extends the start's timeout to
// within from now, whatever TimeoutStartSec= of the unit is.
func Starting(text string, within time.Duration) {
	_ = send(status("starting: "+text), extend(within))
}

func extend(d time.Duration) string { return fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", d.Microseconds()) }

// maxStatus bounds a status, in characters. systemd drops a message above 4 KiB.
const maxStatus = 400

// status is the assignment for a text. Each line of a message is an assignment,
// so control characters become spaces.
func status(text string) string {
	runes := []rune(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text))
	if len(runes) > maxStatus {
		runes = append(runes[:maxStatus-1], '…')
	}
	return "STATUS=" + string(runes)
}

// sendTimeout bounds a message to a service manager that does not read.
const sendTimeout = time.Second

var (
	errBusy = errors.New("the service manager does not read its socket")
	sending = make(chan struct{}, 1) // holds a token while a message is being written
)

// send sends assignments as one message; nothing without $NOTIFY_SOCKET. A
// message that cannot be written within sendTimeout is left to a goroutine of
// its own, and until it is written others fail with errBusy.
func send(assignments ...string) error {
	late := time.NewTimer(sendTimeout)
	defer late.Stop()
	select {
	case sending <- struct{}{}:
	case <-late.C:
		return errBusy
	}
	sent := make(chan error, 1)
	go func() {
		_, err := daemon.SdNotify(false, strings.Join(assignments, "\n"))
		<-sending
		sent <- err
	}()
	select {
	case err := <-sent:
		return err
	case <-late.C:
		return errBusy
	}
}

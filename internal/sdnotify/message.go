package sdnotify

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Status sends a status line, shown by `systemctl status`. It ignores errors.
func Status(text string) { _ = send(status(text)) }

// Starting sends a status and extends the start time-out (TimeoutStartSec=) to within from now.
func Starting(text string, within time.Duration) {
	_ = send(status("starting: "+text), extend(within))
}

func extend(d time.Duration) string { return fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", d.Microseconds()) }

// maxStatus bounds a status in characters. systemd drops messages above 4 KiB.
const maxStatus = 400

// status returns the assignment for a text, with spaces for control characters: each line of a
// message is an assignment.
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
	sending = make(chan struct{}, 1) // full while a message is being written
)

// send sends assignments as one message if $NOTIFY_SOCKET is set. While a message is blocked for
// longer than sendTimeout, others fail with errBusy.
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

package sdnotify

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Status says in one line what the process is doing; `systemctl status` shows
// it. That it cannot be told is no reason to fail.
func Status(text string) { _ = send(status(text)) }

// Starting says what a start is doing, and that it may take so long, whatever
// TimeoutStartSec= of the unit is.
func Starting(text string, within time.Duration) {
	_ = send(status("starting: "+text), extend(within))
}

func extend(d time.Duration) string { return fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", d.Microseconds()) }

// maxStatus is how many characters of a status are told: some lines of a
// terminal. systemd drops a whole message above 4 KiB.
const maxStatus = 400

// status is the assignment for a text. Each line of a message is one, so the
// text has to stay on its own.
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

// sendTimeout bounds a message to a service manager that does not read: it
// must not hold up a stop.
const sendTimeout = time.Second

// listening reports whether a service manager wants to be told.
func listening() bool { return os.Getenv("NOTIFY_SOCKET") != "" }

// send sends assignments as one message; nothing without $NOTIFY_SOCKET. An
// address that begins with @ is an abstract one, for Go as for systemd.
func send(assignments ...string) error {
	if !listening() {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: os.Getenv("NOTIFY_SOCKET"), Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return err
	}
	_, err = conn.Write([]byte(strings.Join(assignments, "\n")))
	return err
}

// watchdog returns how long systemd waits for a sign of life of this process
// (WatchdogSec= of the unit); zero: it does not.
func watchdog() (time.Duration, error) {
	text, pid := os.Getenv("WATCHDOG_USEC"), os.Getenv("WATCHDOG_PID")
	if text == "" || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("WATCHDOG_USEC is %q, which is no number of microseconds", text)
	}
	return time.Duration(n) * time.Microsecond, nil
}

package devbroker

import (
	"fmt"
	"net"
	"strconv"
)

// PortTaken is the error of Start when the port is in use.
type PortTaken struct{ Port int }

func (e *PortTaken) Error() string {
	return fmt.Sprintf("port %d is already in use, possibly by another Kafka", e.Port)
}

// Alternative returns an address to try instead: 19092 for 9092.
func (e *PortTaken) Alternative() string {
	port := e.Port + 10000
	if port > 65535 {
		port = e.Port - 10000
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// DirInUse is the error of Start when another broker uses the directory.
type DirInUse struct{ Dir string }

func (e *DirInUse) Error() string {
	return fmt.Sprintf("another notifier uses %s: stop it or choose another directory", e.Dir)
}

// Damaged is the error of Start when the directory's data cannot be read.
type Damaged struct {
	Dir string
	Err error
}

func (e *Damaged) Error() string {
	return fmt.Sprintf("read the data in %s: %v; move the directory and start again: mv %s %s.damaged", e.Dir, e.Err, e.Dir, e.Dir)
}

func (e *Damaged) Unwrap() error { return e.Err }

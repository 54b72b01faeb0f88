package devbroker

import (
	"fmt"
	"net"
	"strconv"
)

// PortTaken is the error of Start when something listens on the port already.
type PortTaken struct{ Port int }

func (e *PortTaken) Error() string {
	return fmt.Sprintf("port %d is taken, perhaps by a Kafka of yours", e.Port)
}

// Another returns an address to try instead: 19092 for 9092.
func (e *PortTaken) Another() string {
	port := e.Port + 10000
	if port > 65535 {
		port = e.Port - 10000
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// DirInUse is the error of Start when another broker runs on the directory.
type DirInUse struct{ Dir string }

func (e *DirInUse) Error() string {
	return fmt.Sprintf("another notifier is running on %s: stop it or choose another directory", e.Dir)
}

// Damaged is the error of Start when what the directory holds cannot be read.
type Damaged struct {
	Dir string
	Err error
}

func (e *Damaged) Error() string {
	return fmt.Sprintf("read the data in %s: %v; move aside and start fresh: mv %s %s.damaged", e.Dir, e.Err, e.Dir, e.Dir)
}

func (e *Damaged) Unwrap() error { return e.Err }

package clitest

import (
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"
	"unsafe"
)

// terminal is a pseudo-terminal.
type terminal struct {
	t      *testing.T
	master *os.File
	Screen *Lines
}

// OpenTerminal returns a terminal and the file for a program.
func OpenTerminal(t *testing.T) (*terminal, *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, master: master, Screen: NewLines()}
	var number, locked int32
	term.control(syscall.TIOCSPTLCK, unsafe.Pointer(&locked))
	term.control(syscall.TIOCGPTN, unsafe.Pointer(&number))
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { // until both ends are closed
		defer close(done)
		_, _ = io.Copy(term.Screen, master)
	}()
	t.Cleanup(func() {
		_ = slave.Close()
		_ = master.Close()
		<-done
	})
	return term, slave
}

func (t *terminal) control(request uintptr, arg unsafe.Pointer) {
	t.t.Helper()
	raw, err := t.master.SyscallConn()
	if err != nil {
		t.t.Fatal(err)
	}
	_ = raw.Control(func(fd uintptr) {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(arg)); errno != 0 {
			t.t.Fatal(errno)
		}
	})
}

func (t *terminal) Resize(columns, rows uint16) {
	t.t.Helper()
	t.control(syscall.TIOCSWINSZ, unsafe.Pointer(&[4]uint16{rows, columns}))
}

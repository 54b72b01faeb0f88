package devbroker

import (
	"bytes"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"testing"
	"testing/iotest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// frame returns a request frame of this key with body behind the header.
func frame(key int16, body ...byte) []byte {
	head := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
	head = binary.BigEndian.AppendUint16(head, uint16(key))
	head = append(head, 0, 0, 0, 0, 0, 7) // version, correlation id
	return append(head, body...)
}

func TestInvalidFrameClosesOnlyItsConnection(t *testing.T) {
	b := start(t, "")
	create(t, b, Topic{Name: "trades", Partitions: 1})
	cl := client(t, b)
	produce(t, cl, "trades", "before")

	send := func(name string, garbage []byte) {
		conn, err := net.Dial("tcp", b.Addr())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		defer conn.Close()
		_, _ = conn.Write(garbage) // may be cut short by the broker
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.Copy(io.Discard, conn); isTimeout(err) {
			t.Errorf("%s: the connection was left open", name)
		}
	}
	send("HTTP", []byte("GET / HTTP/1.1\r\nHost: localhost:9092\r\n\r\n"))
	send("TLS", []byte{0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01})
	send("huge", []byte{0xff, 0xff, 0xff, 0xff, 0, 3})
	send("tiny", []byte{0, 0, 0, 0, 0, 0})
	send("behind a good frame", append(frame(int16(kmsg.ApiVersions), 0xff, 0xff), "garbage!"...))
	for key := int16(-1); key < kmsg.MaxKey+20; key++ {
		if key < 0 || kmsg.RequestForKey(key) == nil {
			send("unknown key", frame(key))
		}
	}

	produce(t, cl, "trades", "after")
	if got := consume(t, client(t, b, kgo.ConsumeTopics("trades")), 2); got[1] != "after" {
		t.Errorf("read %q", got)
	}
}

// chunks is a connection whose reads return pieces of data.
type chunks struct {
	net.Conn
	io.Reader
	closed bool
}

func (c *chunks) Read(p []byte) (int, error) { return c.Reader.Read(p) }
func (c *chunks) Close() error               { c.closed = true; return nil }
func (c *chunks) RemoteAddr() net.Addr       { return &net.TCPAddr{} }

func TestReadTimeoutLosesNoBytes(t *testing.T) {
	in := frame(3, 1, 2, 3)
	from := iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader(in))) // the second byte is late
	guarded := &guardedConn{Conn: &chunks{Reader: from}, log: slog.New(slog.DiscardHandler)}
	if _, err := guarded.Read(make([]byte, 64)); err != iotest.ErrTimeout {
		t.Fatalf("got %v, want the time-out", err)
	}
	if got, err := io.ReadAll(guarded); err != nil || !bytes.Equal(got, in) {
		t.Errorf("then it reads %x, %v, want %x", got, err, in)
	}
}

// FuzzGuard compares the guard with the obvious reading of the whole input:
// it hands on every byte up to the first bad head, whatever the pieces.
func FuzzGuard(f *testing.F) {
	f.Add(frame(3, 1, 2, 3), uint8(0), uint8(1))
	f.Add(append(frame(0), frame(18, make([]byte, 100)...)...), uint8(1), uint8(7))
	f.Add(append(frame(1, 9), frame(99)...), uint8(2), uint8(64))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), uint8(1), uint8(4))
	f.Add([]byte{0, 0, 0, 7, 0, 3, 0}, uint8(0), uint8(255))
	f.Fuzz(func(t *testing.T, in []byte, pieces, buffer uint8) {
		want, bad := passes(in)
		var from io.Reader = bytes.NewReader(in)
		switch pieces % 4 {
		case 1:
			from = iotest.OneByteReader(from)
		case 2:
			from = iotest.HalfReader(from)
		case 3:
			from = iotest.DataErrReader(from)
		}
		conn := &chunks{Reader: from}
		guarded := &guardedConn{Conn: conn, log: slog.New(slog.DiscardHandler)}
		var got []byte
		buf := make([]byte, 1+int(buffer))
		for {
			n, err := guarded.Read(buf)
			got = append(got, buf[:n]...)
			if err != nil {
				break
			}
		}
		if !bytes.Equal(got, want) {
			t.Errorf("handed on %x, want %x", got, want)
		}
		if conn.closed != bad {
			t.Errorf("closed is %v, want %v", conn.closed, bad)
		}
	})
}

// passes returns what of in may reach the broker, and whether a bad head ends it.
func passes(in []byte) (ok []byte, bad bool) {
	rest := in
	for len(rest) >= headBytes {
		size, key := binary.BigEndian.Uint32(rest), int16(binary.BigEndian.Uint16(rest[4:]))
		if size < 8 || size > 16<<20 || key < 0 || kmsg.RequestForKey(key) == nil {
			return in[:len(in)-len(rest)], true
		}
		rest = rest[min(len(rest), 4+int(size)):]
	}
	return in[:len(in)-len(rest)], false
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}

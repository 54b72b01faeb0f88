package webhook_test

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/channel/webhook"
	"github.com/algotrade/notifier/internal/secret"
)

// TestRequestIsWrittenAtOnce: headers and body in one segment, which cost one write
// here and one read there.
func TestRequestIsWrittenAtOnce(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	split := make(chan int, 1) // requests of which the first read returned a part
	const requests = 50
	go func() {
		n := 0
		defer func() { split <- n }()
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		for range requests {
			b := make([]byte, 64<<10)
			got, _ := conn.Read(b)
			for !whole(string(b[:got])) {
				n++
				more, err := conn.Read(b[got:])
				if got += more; err != nil {
					return
				}
			}
			_, _ = conn.Write([]byte("HTTP/1.1 204 No Content\r\n\r\n"))
		}
	}()
	c := newChannel(t, webhook.Config{URL: secret.New("http://" + listener.Addr().String() + "/")})
	for range requests {
		if err := send(t, c, message()); err != nil {
			t.Fatal(err)
		}
	}
	if n := <-split; n > 0 {
		t.Errorf("%d of %d requests came in parts", n, requests)
	}
}

// whole reports whether a request has all of its body.
func whole(request string) bool {
	head, body, ok := strings.Cut(request, "\r\n\r\n")
	_, length, _ := strings.Cut(head, "Content-Length: ")
	length, _, _ = strings.Cut(length, "\r\n")
	n, err := strconv.Atoi(length)
	return ok && err == nil && len(body) == n
}

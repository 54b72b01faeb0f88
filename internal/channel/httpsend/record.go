package httpsend

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/algotrade/notifier/internal/channel"
)

type recordKey struct{}

// recorder keeps requests instead of sending them.
type recorder struct{ requests []channel.Request }

// Record returns the requests that send would make: none is made, and each is answered as
// providers answer what they accept.
func Record(send func(context.Context)) []channel.Request {
	r := &recorder{}
	send(context.WithValue(context.Background(), recordKey{}, r))
	return r.requests
}

// accepted is what the providers of the kinds answer, all in one.
const accepted = `{"ok":true,"ts":"1.1","channel":"C0","id":"1","name":"1","event":"message","status":"success"}`

func (r *recorder) do(req *http.Request) (*Reply, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	one := channel.Request{Method: req.Method, Host: req.URL.Host, Headers: make(map[string]string), Body: string(body)}
	for name, values := range req.Header {
		one.Headers[name] = strings.Join(values, ", ")
	}
	r.requests = append(r.requests, one)
	return &Reply{Status: http.StatusOK, Header: make(http.Header), Body: []byte(accepted)}, nil
}

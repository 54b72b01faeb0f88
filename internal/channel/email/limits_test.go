package email

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/channel/email/smtptest"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/secret"
)

// allocated returns how many bytes f allocates, its server's included.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestEndlessReplyIsTransientWithBoundedMemory(t *testing.T) {
	const most = 4 << 20
	for _, encryption := range []string{tlsNone, tlsMandatory, tlsImplicit} {
		for _, at := range []string{"", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "."} {
			for flood, detail := range map[string]excess{smtptest.FloodLine: errLongLine, smtptest.FloodLines: errLongReply} {
				t.Run(fmt.Sprintf("%s/%q/%s", encryption, at, flood[1:]), func(t *testing.T) {
					answer := func(line string) string {
						switch {
						case at == "" && line == "", at != "" && strings.HasPrefix(line, at):
							return flood
						case strings.HasPrefix(line, "EHLO"):
							return "250-raw\n250-STARTTLS\n250 AUTH PLAIN"
						case line == "STARTTLS":
							return "220 go ahead"
						case strings.HasPrefix(line, "AUTH"):
							return "235 2.7.0 ok"
						}
						return smtptest.Default(line)
					}
					var addr, ca string
					if encryption == tlsNone {
						addr = smtptest.Raw(t, answer)
					} else {
						addr, ca = smtptest.RawTLS(t, encryption == tlsImplicit, answer)
					}
					c := open(t, addr, func(c *Config) {
						c.TLS, c.CA = encryption, ca
						c.Username, c.Password = secret.New("notifier"), secret.New("hunter22")
					})
					var err error
					took := allocated(func() { _, err = c.Send(t.Context(), message()) })
					want := outcome.Unreachable
					if at == "." {
						want = outcome.MaybeProcessed
					}
					if e := outcome.Classify(err); e.Cause != want || !strings.Contains(e.Detail, string(detail)) {
						t.Errorf("%v, want %s: %s", e, want, detail)
					}
					if took > most {
						t.Errorf("%d bytes were allocated, want at most %d", took, most)
					}
				})
			}
		}
	}
}

func TestFloodAfterSTARTTLSIsBounded(t *testing.T) {
	for _, at := range []string{"EHLO", "MAIL"} {
		encrypted := false
		addr, ca := smtptest.RawTLS(t, false, func(line string) string {
			switch {
			case encrypted && strings.HasPrefix(line, at):
				return smtptest.FloodLines
			case strings.HasPrefix(line, "EHLO"):
				return "250-raw\n250 STARTTLS"
			case line == "STARTTLS":
				encrypted = true
				return "220 go ahead"
			}
			return smtptest.Default(line)
		})
		c := open(t, addr, func(c *Config) { c.TLS, c.CA, c.Auth = tlsMandatory, ca, authNone })
		_, err := c.Send(t.Context(), message())
		if e := outcome.Classify(err); e.Cause != outcome.Unreachable || !strings.Contains(e.Detail, string(errLongReply)) {
			t.Errorf("%s: %v", at, e)
		}
	}
}

func TestLongValidEHLOIsAccepted(t *testing.T) {
	var offers []string
	for i := range 40 {
		offers = append(offers, fmt.Sprintf("250-X-EXTENSION-%d %s", i, strings.Repeat("y", 480)))
	}
	ehlo := "250-raw\n" + strings.Join(offers, "\n") + "\n250-STARTTLS\n250 SIZE 35882577"
	answer := func(line string) string {
		switch {
		case strings.HasPrefix(line, "EHLO"):
			return ehlo
		case line == "STARTTLS":
			return "220 go ahead"
		}
		return smtptest.Default(line)
	}
	plain := smtptest.Raw(t, answer)
	encrypted, ca := smtptest.RawTLS(t, false, answer)
	for addr, how := range map[string]string{plain: tlsNone, encrypted: tlsMandatory} {
		c := open(t, addr, func(c *Config) {
			c.TLS, c.Auth = how, authNone
			if how == tlsMandatory {
				c.CA = ca
			}
		})
		for range 30 { // more than maxReply in all, on one connection
			if _, err := c.Send(t.Context(), message()); err != nil {
				t.Fatalf("%s: %v", how, err)
			}
		}
	}
}

func TestEndlessHandshakeIsBounded(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			// A handshake message that says 16 MB, in records of 16 KB.
			record := slices.Concat([]byte{22, 3, 3, 0x40, 0}, []byte{11, 0xff, 0xff, 0xff}, make([]byte, 1<<14-4))
			for sent := 0; sent < smtptest.FloodBytes; sent += len(record) {
				if _, err := conn.Write(record); err != nil {
					break
				}
			}
			_ = conn.Close()
		}
	}()
	c := open(t, listener.Addr().String(), func(c *Config) { c.TLS, c.Auth = tlsImplicit, authNone })
	took := allocated(func() { _, err = c.Send(t.Context(), message()) })
	if e := outcome.Classify(err); e.Cause != outcome.Unreachable && e.Cause != outcome.TLSFailed {
		t.Errorf("%v, want transient", e)
	}
	if took > 8<<20 {
		t.Errorf("%d bytes were allocated", took)
	}
}

// source is a connection that brings what it holds, and takes everything.
type source struct {
	net.Conn
	io.Reader
}

func (s source) Read(p []byte) (int, error) { return s.Reader.Read(p) }
func (source) Write(p []byte) (int, error)  { return len(p), nil }

func TestConnectionLimits(t *testing.T) {
	line := func(n int) string { return strings.Repeat("x", n-1) + "\n" }
	for name, test := range map[string]struct {
		sends string
		want  error // nil: all is read
	}{
		"longest line":   {line(maxLine) + line(maxLine), nil},
		"line too long":  {line(10) + line(maxLine+1), errLongLine},
		"no end":         {strings.Repeat("x", maxLine+1), errLongLine},
		"longest reply":  {strings.Repeat(line(64), maxReply/64-1), nil},
		"reply too long": {strings.Repeat(line(64), maxReply/64+1), errLongReply},
	} {
		for _, size := range []int{1, 100, 1 << 20} {
			c := replies(source{Reader: strings.NewReader(test.sends)})
			var got bytes.Buffer
			_, err := io.CopyBuffer(&got, struct{ io.Reader }{c}, make([]byte, size))
			if !errors.Is(err, test.want) || test.want == nil && got.String() != test.sends || got.Len() > maxReply {
				t.Errorf("%s in reads of %d: %d bytes, %v, want %v", name, size, got.Len(), err, test.want)
			}
			if _, err := c.Write([]byte("QUIT\r\n")); !errors.Is(err, test.want) {
				t.Errorf("%s: a write after it: %v", name, err)
			}
		}
	}
}

func TestWriteAllowsTheNextReply(t *testing.T) {
	reply := strings.Repeat(strings.Repeat("x", 63)+"\n", maxReply/64)
	c := replies(source{Reader: strings.NewReader(strings.Repeat(reply, 3))})
	for range 3 {
		if _, err := io.ReadFull(c, make([]byte, maxReply)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("NOOP\r\n")); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTLSRecordsAreBounded(t *testing.T) {
	here, there := net.Pipe()
	raw := replies(here)
	raw.encrypt(tls.Client(raw, &tls.Config{MinVersion: tls.VersionTLS12}))
	go func() {
		_, _ = there.Write(bytes.Repeat([]byte("x"), maxRecords+1))
		_ = there.Close()
	}()
	n, err := io.Copy(io.Discard, struct{ io.Reader }{raw})
	if n != maxRecords || !errors.Is(err, errRecords) {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestSCRAMIterationsAreBounded(t *testing.T) {
	for rounds, want := range map[string]outcome.Cause{"4096": outcome.Credentials, "2147483647": outcome.Unreachable, "99999999999999999999": outcome.Unreachable} {
		addr := smtptest.Raw(t, func(line string) string {
			verb, rest, _ := strings.Cut(line, " ")
			switch verb {
			case "EHLO":
				return "250-raw\n250 AUTH SCRAM-SHA-256"
			case "AUTH":
				if _, first, ok := strings.Cut(rest, " "); ok {
					return challenge(t, first, rounds)
				}
				return "334 "
			case "", "MAIL", "RCPT", "DATA", "QUIT":
				return smtptest.Default(line)
			}
			if first, err := base64.StdEncoding.DecodeString(line); err == nil && bytes.HasPrefix(first, []byte("n,,")) {
				return challenge(t, line, rounds)
			}
			return "535 5.7.8 no"
		})
		c := open(t, addr, func(c *Config) {
			c.Auth, c.Username, c.Password = "scram", secret.New("notifier"), secret.New("hunter22")
		})
		_, err := c.Send(t.Context(), message())
		if got := cause(err); got != want {
			t.Errorf("%s rounds: %v, want %s", rounds, err, want)
		}
	}
}

// challenge answers the first message of SCRAM.
func challenge(t *testing.T, first, rounds string) string {
	text, err := base64.StdEncoding.DecodeString(first)
	if err != nil {
		t.Errorf("%q: %v", first, err)
	}
	_, nonce, _ := strings.Cut(string(text), "r=")
	return "334 " + base64.StdEncoding.EncodeToString([]byte("r="+nonce+"more,s=c2FsdA==,i="+rounds))
}

func TestRefusalTextIsBounded(t *testing.T) {
	refusal := strings.Repeat("550-5.1.1 "+strings.Repeat("z", 1000)+"\n", 50) + "550 5.1.1 unknown"
	addr := smtptest.Raw(t, func(line string) string {
		if line == "RCPT TO:<a@example.com>" {
			return refusal
		}
		return smtptest.Default(line)
	})
	receipt, err := open(t, addr, three).Send(t.Context(), message())
	if err != nil || len(receipt.Refused) != 1 {
		t.Fatalf("%+v, %v", receipt, err)
	}
	e := outcome.Classify(receipt.Refused[0].Err)
	if e.Cause != outcome.RecipientRefused || len(e.Unwrap().Error()) > maxReplyText+100 {
		t.Errorf("%s keeps %d bytes", e.Cause, len(e.Unwrap().Error()))
	}
}

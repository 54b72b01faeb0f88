#!/usr/bin/env bash
# Three SMTP clients of Go do not read two forms of replies that RFC 5321 allows.
#
# Guess:   keywords of an EHLO reply are compared without regard to case, since the
#          comment of Client.Extension says so; a code alone, "250", is a reply.
# Seen:    after "250-size 1000" and "250 auth PLAIN" (each second line below) net/smtp,
#          go-mail and go-smtp say that the server has neither AUTH nor SIZE: Extension
#          turns the name that is asked for into capital letters, and not the server's.
#          After a final "250" without a space (each third line) Close returns an error,
#          although the server has accepted the mail: all three use net/textproto.
# Output:  net/smtp  AUTH false  SIZE false  accepted with "250 ok": <nil>
#          net/smtp  AUTH true   SIZE true   accepted with "250": short response: "250"
#          and the same for go-mail and go-smtp: see want
# Pinned:  github.com/wneessen/go-mail v0.8.1, github.com/emersion/go-smtp v0.25.1, Go 1.26
# Date:    2026-11-30
# Source:  RFC 5321, 4.1.1.1 (keywords in any case) and 4.2 (a reply without a text)
# Why:     the first is a login that is never tried, or a STARTTLS that "is not offered".
#          The second looks like an unknown outcome after the end of data: a notifier that
#          sends again rather than lose an alert repeats the mail without end.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module finding

go 1.26

require (
	github.com/emersion/go-smtp v0.25.1
	github.com/wneessen/go-mail v0.8.1
)
MOD
cat >main.go <<'GO'
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	stdsmtp "net/smtp"
	"strings"

	emersion "github.com/emersion/go-smtp"
	gomail "github.com/wneessen/go-mail/smtp"
)

type client interface {
	Extension(string) (bool, string)
	Data() (io.WriteCloser, error)
}

// serve answers one connection and accepts every mail.
func serve(conn net.Conn, keywords bool, ok string) {
	defer conn.Close()
	lines := bufio.NewScanner(conn)
	fmt.Fprint(conn, "220 ready\r\n")
	for inMail := false; lines.Scan(); {
		verb, _, _ := strings.Cut(lines.Text(), " ")
		switch {
		case inMail && lines.Text() == ".":
			inMail = false
			fmt.Fprint(conn, ok+"\r\n")
		case inMail:
		case verb == "EHLO" && keywords:
			fmt.Fprint(conn, "250-mail\r\n250-size 1000\r\n250 auth PLAIN\r\n")
		case verb == "EHLO":
			fmt.Fprint(conn, "250-mail\r\n250-SIZE 1000\r\n250 AUTH PLAIN\r\n")
		case verb == "DATA":
			inMail = true
			fmt.Fprint(conn, "354 go\r\n")
		default:
			fmt.Fprint(conn, "250 ok\r\n")
		}
	}
}

func dial(keywords bool, ok string) net.Conn {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		panic(err)
	}
	peer, err := l.Accept()
	if err != nil {
		panic(err)
	}
	go serve(peer, keywords, ok)
	return conn
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func run(name string, keywords bool, ok string) {
	conn := dial(keywords, ok)
	defer conn.Close()
	var has func(string) (bool, string)
	var w io.WriteCloser
	var err error
	switch name {
	case "net/smtp":
		c, e := stdsmtp.NewClient(conn, "mail")
		must(e)
		must(c.Hello("client.example.com"))
		must(c.Mail("a@example.com"))
		must(c.Rcpt("b@example.com"))
		has = c.Extension
		w, err = c.Data()
	case "go-mail":
		c, e := gomail.NewClient(conn, "mail")
		must(e)
		must(c.Hello("client.example.com"))
		must(c.Mail("<a@example.com>"))
		must(c.Rcpt("<b@example.com>"))
		has = c.Extension
		w, err = c.Data()
	case "go-smtp":
		c := emersion.NewClient(conn)
		must(c.Hello("client.example.com"))
		must(c.Mail("a@example.com", nil))
		must(c.Rcpt("b@example.com", nil))
		has = c.Extension
		w, err = c.Data()
	}
	must(err)
	auth, _ := has("AUTH")
	size, _ := has("SIZE")
	fmt.Fprint(w, "Subject: x\r\n\r\nx\r\n")
	fmt.Printf("%-8s  AUTH %-5v  SIZE %-5v  accepted with %q: %v\n", name, auth, size, ok, w.Close())
}

func main() {
	for _, name := range []string{"net/smtp", "go-mail", "go-smtp"} {
		run(name, false, "250 ok")
		run(name, true, "250 ok")
		run(name, false, "250")
	}
}
GO
go mod tidy >/dev/null 2>&1
got=$(go run .)
want='net/smtp  AUTH true   SIZE true   accepted with "250 ok": <nil>
net/smtp  AUTH false  SIZE false  accepted with "250 ok": <nil>
net/smtp  AUTH true   SIZE true   accepted with "250": short response: "250"
go-mail   AUTH true   SIZE true   accepted with "250 ok": <nil>
go-mail   AUTH false  SIZE false  accepted with "250 ok": <nil>
go-mail   AUTH true   SIZE true   accepted with "250": short response: "250"
go-smtp   AUTH true   SIZE true   accepted with "250 ok": <nil>
go-smtp   AUTH false  SIZE false  accepted with "250 ok": <nil>
go-smtp   AUTH true   SIZE true   accepted with "250": short response: "250"'
printf '%s\n' "$got"
diff <(printf '%s\n' "$want") <(printf '%s\n' "$got")

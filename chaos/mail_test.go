package main

import "testing"

func TestMailsAreParsedAsStored(t *testing.T) {
	raw := "Return-Path: <alerts@example.com>\nReceived: from host (localhost [127.0.0.1])\n\t(using TLSv1.3)\n\tby localhost (Postfix) with ESMTPS id 4cFtNG2BzSzJsl\n\tfor <desk@example.com>; Wed, 25 Nov 2026 04:45:06 +0000 (UTC)\n" +
		"Message-ID: <dl_abc@example.com>\nSubject: WARNING: k12m/7\n\nThis may be =\na duplicate\n"
	got, err := readMail([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	if got.id != "dl_abc" || got.title != "k12m/7" || !got.marked || got.at.IsZero() {
		t.Errorf("%+v", got)
	}
	if _, err := queueTime("4A1B2C3D"); err == nil {
		t.Error("a short queue id has no time")
	}
	a, _ := queueTime("4cFtNG2BzSzJsl")
	b, _ := queueTime("4cFtNG2C0SzJsl")
	if !b.After(a) {
		t.Errorf("%s is not after %s", b, a)
	}
}

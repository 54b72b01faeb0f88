package main

import (
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/dlq"
)

// book is a ledger with what a test does to it.
type book struct {
	*ledger
	now time.Time
}

func newBook() *book { return &book{newLedger(), time.Now()} }

func (b *book) owes(key string, n int) {
	for i := range n {
		b.owe(event{key: key, number: i, channels: []string{hook}})
	}
}

// later is a moment after every one before it.
func (b *book) later() time.Time {
	b.now = b.now.Add(time.Millisecond)
	return b.now
}

func (b *book) takes(title string) {
	at := b.later()
	b.took(b.attempt(hook, title, "dl_"+title, at), at, false)
}

// TestTheLedgerSeesWhatMustNotBe: each of these has to fail a row, and each
// alone.
func TestTheLedgerSeesWhatMustNotBe(t *testing.T) {
	bound := terms{perDisturbance: map[string]int{hook: 1}}
	for _, c := range []struct {
		name string
		does func(*book)
		left []letter
		want string
	}{
		{"all is well", func(b *book) { b.owes("k", 2); b.takes("k/0"); b.takes("k/1") }, nil, ""},
		{"lost", func(b *book) { b.owes("k", 2); b.takes("k/0") }, nil, "lost: hook k/1"},
		{"a dead letter that was closed without a delivery", func(b *book) {
			b.owe(event{key: "k", channels: []string{hook}, refuse: true})
			b.attempt(hook, "k/0", "dl_1", b.later())
		}, []letter{{id: "dl_1", state: dlq.Resolved}}, "lost: its dead letter is resolved"},
		{
			"a dead letter of a good alert", func(b *book) { b.owes("k", 1); b.attempt(hook, "k/0", "dl_1", b.later()) },
			[]letter{{id: "dl_1", state: dlq.Open, reason: "refused"}},
			"what the sink would have taken",
		},
		{"a dead letter of what was delivered", func(b *book) {
			b.owe(event{key: "k", channels: []string{hook}, refuse: true})
			b.takes("k/0")
		}, []letter{{id: "dl_k/0", state: dlq.Open, reason: "refused"}}, "delivered, and its dead letter is open"},
		{"poison without a dead letter", func(b *book) { b.placed(b.poisoned("t"), 1, 7) }, nil, "no dead letter for t/1@7"},
		{"poison with one", func(b *book) { b.placed(b.poisoned("t"), 1, 7) }, []letter{{id: "re_1", topic: "t", partition: 1, offset: 7}}, ""},
		{"out of order", func(b *book) { b.owes("k", 2); b.takes("k/1"); b.takes("k/0") }, nil, "order broken"},
		{"tried before the one before was taken", func(b *book) {
			b.owes("k", 2)
			b.attempt(hook, "k/0", "dl_k/0", b.later())
			b.attempt(hook, "k/1", "dl_k/1", b.later())
			b.takes("k/0")
			b.takes("k/1")
		}, nil, "order broken"},
		{"passing by a dead letter is in order", func(b *book) {
			b.owe(event{key: "k", channels: []string{hook}, refuse: true})
			b.owes("k", 1)
			b.attempt(hook, "k/0", "dl_1", b.later())
			b.takes("k/1")
		}, []letter{{id: "dl_1", state: dlq.Open, reason: "refused"}}, ""},
		{"repeated for nothing", func(b *book) { b.owes("k", 1); b.takes("k/0"); b.takes("k/0") }, nil, "although nothing was disturbed"},
		{"repeated after a disturbance", func(b *book) { b.owes("k", 1); b.takes("k/0"); b.falls(); b.takes("k/0") }, nil, ""},
		{"repeated too often after a disturbance", func(b *book) {
			b.owes("k", 2)
			b.takes("k/0")
			b.takes("k/1")
			b.falls()
			b.takes("k/0")
			b.takes("k/1")
		}, nil, "2 deliveries to hook repeated, 1 may be"},
		{"each disturbance counts for itself", func(b *book) {
			b.owes("k", 2)
			b.takes("k/0")
			b.falls()
			b.takes("k/0")
			b.takes("k/1")
			b.falls()
			b.takes("k/1")
		}, nil, ""},
		{"another id", func(b *book) { b.owes("k", 1); b.takes("k/0"); b.attempt(hook, "k/0", "dl_2", b.later()) }, nil, "under the id"},
		{"an alert from nowhere", func(b *book) { b.attempt(hook, "k/0", "dl_1", b.later()) }, nil, "nothing asked for"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBook()
			c.does(b)
			got := strings.Join(b.judge(c.left, bound).failures, "\n")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("the verdict is %q, want %q", got, c.want)
			}
		})
	}
}

// falls is a crash at the book's own time.
func (b *book) falls() {
	b.disturbed = append(b.disturbed, disturbance{at: b.later(), what: "kill"})
}

func TestRepeatsUnderChurnAreBoundedByTheirShare(t *testing.T) {
	b := newBook()
	b.owes("k", 10)
	for _, title := range []string{"k/0", "k/1", "k/2", "k/3", "k/4", "k/5", "k/6", "k/7", "k/8", "k/9", "k/0"} {
		b.takes(title)
	}
	if v := b.judge(nil, terms{share: 0.1}); !v.ok() {
		t.Errorf("one of ten is within a tenth: %v", v.failures)
	}
	if v := b.judge(nil, terms{share: 0.09}); v.ok() {
		t.Error("one of ten is more than nine in a hundred")
	}
}

func TestMailsAreReadAsTheServerStoresThem(t *testing.T) {
	raw := "Return-Path: <alerts@example.com>\nReceived: from host (localhost [127.0.0.1])\n\t(using TLSv1.3)\n\tby localhost (Postfix) with ESMTPS id 4cFtNG2BzSzJsl\n\tfor <desk@example.com>; Wed, 25 Nov 2026 04:45:06 +0000 (UTC)\n" +
		"Message-ID: <dl_abc@example.com>\nSubject: WARNING: k12m/7\n\nThis may be =\na repeat\n"
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
